// A program that asks a runtime for one queue a card, and says what the kernel answered.
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <stdio.h>
#include <string.h>

#include "queue_sizes.h"

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    hsa_status_t status = hsa_init();
    if (status != HSA_STATUS_SUCCESS) {
        printf("hsa_init: %#x\n", (unsigned)status);
        return 1;
    }
    const char* build = "";
    hsa_system_get_info((hsa_system_info_t)HSA_AMD_SYSTEM_INFO_BUILD_VERSION, &build);
    printf("build %s\n", build);
    for (uint32_t node = 0; node < queue_sizes_nodes(); node++) {
        if (!queue_sizes_is_card(node)) continue;
        QueueSizes sizes;
        queue_sizes_create(node, &sizes);
        printf("waves of a unit %u, control stack %#x, save area %#x, allocated %#x: %s\n", queue_sizes_waves(node),
               sizes.ctl_stack, sizes.save_area, sizes.allocated, strerror(sizes.error));
        printf("{\"label\": \"queue of node %u\", \"code\": %d}\n", node, sizes.error);
    }
    return hsa_shut_down() == HSA_STATUS_SUCCESS ? 0 : 1;
}
