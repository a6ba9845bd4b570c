/* A library under the name of RMCP's core that is none: loading it is seen. */
#include <stdio.h>

__attribute__((constructor)) static void loaded(void) {
    puts("hostile");
    fflush(stdout);
}
