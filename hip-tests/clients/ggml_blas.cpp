// Stands in for hipBLAS and rocBLAS, most of a gigabyte that buffers and copies do not need. Every call fails, and ggml
// ends the program when a call of hipBLAS does.
#define FAILS(name) \
    extern "C" int name() { return 1; }
FAILS(hipblasCreate)
FAILS(hipblasDestroy)
FAILS(hipblasGemmBatchedEx)
FAILS(hipblasGemmEx)
FAILS(hipblasGemmStridedBatchedEx)
FAILS(hipblasSetStream)
FAILS(hipblasSgemm)
FAILS(hipblasSgemmBatched)
FAILS(hipblasSgemmStridedBatched)
FAILS(hipblasStrsmBatched)
FAILS(rocblas_get_version_string)
FAILS(rocblas_get_version_string_size)
FAILS(rocblas_initialize)
