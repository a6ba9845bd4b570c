/* A program that runs commands in itself (when it is linked with client.c) or in the libraries that it loads.
 *
 *     main [--out=FILE] [--local=LIBRARY | --global=LIBRARY | --deepbind=LIBRARY | --unload=N]... [COMMAND | fork | @N]...
 *
 * `fork`: a child runs the commands that follow, then the parent does. `@1`: the library given second runs them.
 * `place`: whether that library lies where an unloaded one lay. `--chroot=FOLDER`: from then on that is the root folder.
 * `--rename=FROM:TO`: a file is renamed. `tail`: calls that library's function of that name; `tail@N` has it called by the
 * library given as number N. A process that hangs ends by SIGALRM. */
#define _GNU_SOURCE
#include "stub.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma weak client

typedef int (*run_t)(const char *, FILE *);

static const char *out;
static FILE *report;
static char *text;
static size_t length;

/* What was reported so far goes out, so that a fork does not double it. */
static void flush(void) {
    fflush(report);
    int fd = out ? open(out, O_WRONLY | O_CREAT | O_APPEND, 0666) : 1;
    if (write(fd, text, length) != (ssize_t)length)
        abort();
    if (out)
        close(fd);
    rewind(report);
}

static void *handles[8];
static run_t all[8] = { client }, unloaded;
static size_t loaded;

static void load(const char *path, int mode) {
    void *library = dlopen(path, RTLD_NOW | mode);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    handles[loaded] = library;
    all[loaded++] = (run_t)dlsym(library, "client");
}

static void unload(int index) {
    unloaded = all[index];
    dlclose(handles[index]);
}

typedef int (*tail_t)(void **, size_t);

static tail_t find_tail(void *library) { return (tail_t)dlsym(library, "tail"); }

int main(int argc, char **argv) {
    size_t current = 0;
    alarm(120);
    report = open_memstream(&text, &length);
    for (int i = 1; i < argc && loaded < 8; i++) {
        const char *word = argv[i];
        if (!strncmp(word, "--out=", 6)) out = word + 6;
        else if (!strncmp(word, "--local=", 8)) load(word + 8, RTLD_LOCAL);
        else if (!strncmp(word, "--global=", 9)) load(word + 9, RTLD_GLOBAL);
        else if (!strncmp(word, "--deepbind=", 11)) load(word + 11, RTLD_LOCAL | RTLD_DEEPBIND);
        else if (!strncmp(word, "--unload=", 9)) unload(atoi(word + 9));
        else if (!strncmp(word, "--chroot=", 9)) {
            if (chroot(word + 9) || chdir("/"))
                abort();
        }
        else if (!strncmp(word, "--rename=", 9)) {
            char *from = strdup(word + 9), *to = strchr(from, ':');
            *to++ = 0;
            if (rename(from, to))
                abort();
            free(from);
        }
        else if (!strcmp(word, "tail")) {
            void *memory;
            fprintf(report, "tail\t%d\n", find_tail(handles[current])(&memory, 0x1000));
        }
        else if (!strncmp(word, "tail@", 5)) {
            int (*call_tail)(tail_t, void **, size_t) =
                (int (*)(tail_t, void **, size_t))dlsym(handles[atoi(word + 5)], "call_tail");
            void *memory;
            fprintf(report, "%s\t%d\n", word, call_tail(find_tail(handles[current]), &memory, 0x1000));
        }
        else if (!strcmp(word, "place")) fprintf(report, "place\t%s\n", all[current] == unloaded ? "same" : "other");
        else if (word[0] == '@') current = atoi(word + 1);
        else if (!strcmp(word, "fork")) {
            flush();
            int status = 0;
            pid_t child = fork();
            if (child) {
                waitpid(child, &status, 0);
                fprintf(report, "fork\t%d\n", status);
            } else {
                fprintf(report, "child\n");
            }
        } else all[current](word, report);
    }
    flush();
    return 0;
}
