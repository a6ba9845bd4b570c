// Starts of the stand-in for libhsa-runtime64 under circumstances: `once`, `again`, `threads`, `sealed` or `copies`. A
// report's code says what went wrong; 0: nothing.
#include <hsa/hsa.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue_sizes.h"

static void report(const char* label, int code) {
    printf("{\"label\": \"%s\", \"code\": %d}\n", label, code);
    fflush(stdout);
}

// An import of the runtime, and how its page can be used.
struct Import {
    void** place = nullptr;
    void* function = nullptr;
    char access[8] = "";
};

static Import imports[8];
static unsigned import_count;

static void read_access(void** place, char* access) {
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[512], flags[8];
    unsigned long start, end;
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) == 3 && start <= (unsigned long)place &&
            (unsigned long)place < end)
            strcpy(access, flags);
    if (maps) fclose(maps);
}

static int find_imports(dl_phdr_info* info, size_t, void*) {
    if (!strstr(info->dlpi_name, "libhsa-runtime64")) return 0;
    const ElfW(Dyn)* dynamic = nullptr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn)*)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    ElfW(Addr) value[32] = {};
    for (; dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag < 32) value[dynamic->d_tag] = dynamic->d_un.d_ptr;
    const ElfW(Addr) tables[2][2] = {{value[DT_JMPREL], value[DT_PLTRELSZ]}, {value[DT_RELA], value[DT_RELASZ]}};
    for (const auto& table : tables)
        for (size_t i = 0; i < table[1] / sizeof(ElfW(Rela)); i++) {
            const ElfW(Rela)& relocation = ((const ElfW(Rela)*)table[0])[i];
            const ElfW(Sym)& symbol = ((const ElfW(Sym)*)value[DT_SYMTAB])[ELF64_R_SYM(relocation.r_info)];
            const char* name = (const char*)value[DT_STRTAB] + symbol.st_name;
            unsigned long kind = ELF64_R_TYPE(relocation.r_info);
            bool address = kind == R_X86_64_JUMP_SLOT || kind == R_X86_64_GLOB_DAT;
            if (address && (!strcmp(name, "fopen") || !strcmp(name, "open")) && import_count < 8) {
                Import& import = imports[import_count++];
                import.place = (void**)(info->dlpi_addr + relocation.r_offset);
                import.function = *import.place;
                read_access(import.place, import.access);
            }
        }
    return 0;
}

// How many imports lead elsewhere than they did, or lie in a page that is used otherwise. `lazy`: the first call binds them.
static int changed_imports(bool lazy) {
    int changed = 0;
    for (unsigned i = 0; i < import_count; i++) {
        char access[8] = "";
        read_access(imports[i].place, access);
        Dl_info holder = {};
        dladdr(*imports[i].place, &holder);
        bool rmcp = holder.dli_fname && strstr(holder.dli_fname, "librmcp_core");
        bool elsewhere = !lazy && *imports[i].place != imports[i].function;
        changed += rmcp || elsewhere || strcmp(access, imports[i].access) != 0;
    }
    return changed;
}

static int queue() {
    QueueSizes sizes;
    queue_sizes_create(1, &sizes);
    printf("waves of a unit %u, control stack %#x: %s\n", queue_sizes_waves(1), sizes.ctl_stack, strerror(sizes.error));
    return sizes.error;
}

// What the kernel says, read through the runtime's import while nobody starts it.
static int waves_outside() {
    char text[8192];
    if (!queue_sizes_read("/sys/devices/virtual/kfd/kfd/topology/nodes/1/properties", text, sizeof text)) return -1;
    const char* waves = strstr(text, "max_waves_per_simd ");
    return waves ? atoi(waves + strlen("max_waves_per_simd ")) : -1;
}

static bool over;

static void* read_files(void* wrong) {
    char own[64], first[8192], text[8192];
    snprintf(own, sizeof own, "/proc/%d/limits", getpid());
    if (!queue_sizes_read(own, first, sizeof first)) ++*(int*)wrong;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        if (!queue_sizes_read(own, text, sizeof text) || strcmp(text, first) != 0) ++*(int*)wrong;
        errno = 0;
        if (queue_sizes_read("/nowhere", text, sizeof text) || errno != ENOENT) ++*(int*)wrong;
    }
    return nullptr;
}

static void* start_often(void* wrong) {
    for (int i = 0; i < 200; i++) {
        *(int*)wrong += hsa_init() != HSA_STATUS_SUCCESS;
        *(int*)wrong += queue_sizes_waves(1) != 32;
        *(int*)wrong += hsa_shut_down() != HSA_STATUS_SUCCESS;
    }
    return nullptr;
}

static void threads() {
    int wrong[4] = {};
    pthread_t readers[2], starters[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&readers[i], nullptr, read_files, &wrong[i]);
        pthread_create(&starters[i], nullptr, start_often, &wrong[2 + i]);
    }
    for (pthread_t starter : starters) pthread_join(starter, nullptr);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    for (pthread_t reader : readers) pthread_join(reader, nullptr);
    report("files of other threads", wrong[0] + wrong[1]);
    report("starts of two threads", wrong[2] + wrong[3]);
}

// From here on the kernel changes the protection of these pages for nobody (mseal, Linux 6.10).
static int seal() {
    for (unsigned i = 0; i < import_count; i++)
        if (syscall(462, (unsigned long)imports[i].place & ~4095UL, 4096, 0) != 0) return errno;
    return 0;
}

// In the child of a fork within hsa_init. It has none of its parent's descriptors of the driver.
static int child_code(bool lazy) {
    int code = changed_imports(lazy) + 16 * (waves_outside() != 20) + 32 * (queue_sizes_waves(1) != 32);
    hsa_shut_down();
    return code + 64 * (hsa_init() != HSA_STATUS_SUCCESS || queue_sizes_waves(1) != 32 || changed_imports(lazy) != 0);
}

int main(int, char** arguments) {
    const char* mode = arguments[1];
    const bool lazy = !strcmp(arguments[2], "lazy");
    dl_iterate_phdr(find_imports, nullptr);
    if (!strcmp(mode, "sealed")) report("seal", seal());
    if (!strcmp(mode, "threads")) threads();
    if (!strcmp(mode, "copies")) {
        void* plugin = dlopen(arguments[3], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) printf("%s\n", dlerror());
        report("queue of the plugin's copy", ((int (*)())dlsym(plugin, "plugin_queue"))());
    }
    report("start", (int)hsa_init());
    if (queue_sizes_forked() == 0) _exit(child_code(lazy));
    if (queue_sizes_forked() > 0) {
        int status = -1;
        waitpid(queue_sizes_forked(), &status, 0);
        report("child", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    report("queue", queue());
    report("imports", changed_imports(lazy));
    report("waves outside", waves_outside());
    if (!strcmp(mode, "again")) {
        report("end", (int)hsa_shut_down());
        report("second start", (int)hsa_init());
        report("second queue", queue());
        report("second imports", changed_imports(lazy));
    }
    return 0;
}
