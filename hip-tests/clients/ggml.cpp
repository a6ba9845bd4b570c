// llama.cpp's HIP backend, as Debian builds it, through ggml's public C interface: pinned and device buffers, and data
// there and back. Its first argument is the backend's file.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <stdio.h>

extern "C" __attribute__((weak)) void rmcp_kfd_mark(const char* label);

static const size_t kSize = 0xa00000;

static void mark(const char* label) {
    if (rmcp_kfd_mark) rmcp_kfd_mark(label);
}

static ggml_backend_buffer_t allocate(const char* label, ggml_backend_buffer_type_t type) {
    mark(label);
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(type, kSize);
    mark("after");
    printf("{\"label\": \"%s\", \"code\": %d, \"error\": \"%s\"}\n", label, buffer ? 0 : 1, ggml_backend_buft_name(type));
    return buffer;
}

int main(int argc, char** argv) {
    ggml_backend_reg_t backend = argc > 1 ? ggml_backend_load(argv[1]) : nullptr;
    if (!backend || ggml_backend_reg_dev_count(backend) == 0) return 1;
    ggml_backend_dev_t device = ggml_backend_reg_dev_get(backend, 0);
    allocate("the first pinned buffer", ggml_backend_dev_host_buffer_type(device));
    ggml_backend_buffer_t pinned = allocate("pinned", ggml_backend_dev_host_buffer_type(device));
    ggml_backend_buffer_t vram = allocate("device", ggml_backend_dev_buffer_type(device));
    if (!pinned || !vram) return 1;

    ggml_init_params parameters = {1 << 16, nullptr, true};
    ggml_context* context = ggml_init(parameters);
    ggml_tensor* tensor = ggml_new_tensor_1d(context, GGML_TYPE_I8, kSize / 2);
    ggml_tallocr allocator = ggml_tallocr_new(vram);
    if (ggml_tallocr_alloc(&allocator, tensor) != GGML_STATUS_SUCCESS) return 1;
    unsigned char* there = (unsigned char*)ggml_backend_buffer_get_base(pinned);
    unsigned char* back = there + kSize / 2;
    for (size_t i = 0; i < kSize / 2; i++) there[i] = (unsigned char)(i * 131 + (i >> 8) * 17), back[i] = 0xee;
    mark("copies");
    ggml_backend_tensor_set(tensor, there, 0, kSize / 2);
    ggml_backend_tensor_get(tensor, back, 0, kSize / 2);
    size_t wrong = 0;
    for (size_t i = 0; i < kSize / 2; i++) wrong += there[i] != back[i];
    printf("{\"label\": \"copies\", \"code\": 0, \"wrong\": %zu}\n", wrong);
    mark("exit");
    return 0;
}
