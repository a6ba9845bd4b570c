// The GPUs as ROCr hands them out: a line for each with the name that it goes by and its UUID.
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <stdio.h>

static hsa_status_t visit(hsa_agent_t agent, void*) {
    hsa_device_type_t type;
    hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type);
    if (type != HSA_DEVICE_TYPE_GPU) return HSA_STATUS_SUCCESS;
    char name[64] = "", uuid[64] = "";
    hsa_agent_get_info(agent, HSA_AGENT_INFO_NAME, name);
    hsa_agent_get_info(agent, static_cast<hsa_agent_info_t>(HSA_AMD_AGENT_INFO_UUID), uuid);
    printf("agent %s %s\n", name, uuid);
    return HSA_STATUS_SUCCESS;
}

int main() {
    if (hsa_init() != HSA_STATUS_SUCCESS) return 1;
    hsa_iterate_agents(visit, nullptr);
    hsa_shut_down();
    return 0;
}
