/* A library that looks its functions up itself and keeps them in variables of the same names, as generated wrappers do. */
#include <stddef.h>
#include <stdio.h>

int (*hipMalloc)(void **, size_t);

static int own(void **memory, size_t size) { return memory == NULL && size == 0; }

int client(const char *command, FILE *report) {
    hipMalloc = own;
    return fprintf(report, "%s\t%d\n", command, hipMalloc(NULL, 0));
}
