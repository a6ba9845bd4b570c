// A program that uses ROCr directly: one allocation from each pool of each agent.
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <stdio.h>

extern "C" __attribute__((weak)) void rmcp_kfd_mark(const char* label);

static const size_t kSize = 0xa00000;

static const char* grain(uint32_t flags) {
    if (flags & HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_KERNARG_INIT) return "kernarg";
    if (flags & HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED) return "fine";
    if (flags & HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_COARSE_GRAINED) return "coarse";
    return "extended";
}

static hsa_status_t visit_pool(hsa_amd_memory_pool_t pool, void* agent) {
    hsa_amd_segment_t segment;
    hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment);
    if (segment != HSA_AMD_SEGMENT_GLOBAL) return HSA_STATUS_SUCCESS;
    uint32_t flags = 0;
    hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags);
    char label[64];
    snprintf(label, sizeof label, "%s %s", (const char*)agent, grain(flags));
    if (rmcp_kfd_mark) rmcp_kfd_mark(label);
    void* memory = nullptr;
    hsa_status_t status = hsa_amd_memory_pool_allocate(pool, kSize, 0, &memory);
    printf("{\"label\": \"%s\", \"code\": %d, \"error\": \"\"}\n", label, (int)status);
    if (rmcp_kfd_mark) rmcp_kfd_mark("free");
    if (status == HSA_STATUS_SUCCESS) hsa_amd_memory_pool_free(memory);
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t visit_agent(hsa_agent_t agent, void*) {
    hsa_device_type_t type;
    hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type);
    const char* name = type == HSA_DEVICE_TYPE_GPU ? "gpu" : "cpu";
    return hsa_amd_agent_iterate_memory_pools(agent, visit_pool, (void*)name);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    if (rmcp_kfd_mark) rmcp_kfd_mark("start");
    if (hsa_init() != HSA_STATUS_SUCCESS) return 1;
    hsa_iterate_agents(visit_agent, nullptr);
    if (rmcp_kfd_mark) rmcp_kfd_mark("exit");
    hsa_shut_down();
    return 0;
}
