// Plays the part of a runtime that was built with rocprofiler-register, as Debian's are not: hands the table of functions
// that the runtime keeps to the real rocprofiler-register, as ROCm/clr's hip_api_trace.cpp does inside the first HIP call.
#pragma once

#include <hip/hip_runtime_api.h>

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HIP_VERSION >= 60000000
#include <hip/hip_deprecated.h>
#include <hip/amd_detail/amd_hip_gl_interop.h>
#include <hip/amd_detail/hip_api_trace.hpp>

// A HipDispatchTable in the writable memory of libamdhip64: its own size first, then functions of the library.
static int find_table(struct dl_phdr_info* info, size_t, void* found) {
    if (!strstr(info->dlpi_name, "libamdhip64")) return 0;
    const ElfW(Phdr)* code = nullptr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) code = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + code->p_vaddr, end = start + code->p_memsz;
    const size_t words = sizeof(HipDispatchTable) / 8;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr)& data = info->dlpi_phdr[i];
        if (data.p_type != PT_LOAD || !(data.p_flags & PF_W)) continue;
        uintptr_t* word = (uintptr_t*)(info->dlpi_addr + data.p_vaddr);
        uintptr_t* last = word + data.p_memsz / 8 - words;
        for (; word <= last; word++) {
            if (*word != sizeof(HipDispatchTable)) continue;
            size_t functions = 0;
            for (size_t n = 1; n < words; n++) functions += word[n] == 0 || (word[n] >= start && word[n] < end);
            if (functions == words - 1 && word[1]) *(void**)found = word;
        }
    }
    return *(void**)found != nullptr;
}

static void hand_over_table(void* runtime) {
    // The runtime fills its table in the first call.
    ((const char* (*)(uint32_t))dlsym(runtime, "hipApiName"))(0);
    void* table = nullptr;
    dl_iterate_phdr(find_table, &table);
    void* library = dlopen("librocprofiler-register.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library || !table) fprintf(stderr, "%s\n", library ? "no HipDispatchTable" : dlerror()), exit(1);
    // rocprofiler-register.h
    auto hand_over = (int (*)(const char*, uint32_t (*)(), uint32_t, void**, uint64_t, uint64_t*))dlsym(
        library, "rocprofiler_register_library_api_table");
    uint64_t id = 0;
    int code = hand_over("hip", nullptr, HIP_VERSION_MAJOR * 10000 + HIP_VERSION_MINOR * 100, &table, 1, &id);
    fprintf(stderr, "rocprofiler-register: %d\n", code);
}
#else
static void hand_over_table(void*) {
    abort();
}
#endif
