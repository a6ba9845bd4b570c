// Kernels of llama.cpp's HIP backend, as Debian compiles them, through ggml's public C interface. Its first argument is
// the backend's file.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <stdio.h>

static const int kColumns = 64, kRows = 64;
static float matrix[kRows][kColumns], vector[kColumns], result[kRows * kColumns];

// Results further from what the processor computes than single precision explains.
template <class Expected> static void compare(const char* label, int rows, int columns, Expected expected) {
    size_t wrong = 0;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            double should = expected(row, column), is = result[row * columns + column];
            double error = should - is, bound = 1e-5 * (1 + (should < 0 ? -should : should));
            wrong += !(error < bound && error > -bound);
        }
    printf("{\"label\": \"%s\", \"code\": 0, \"wrong\": %zu}\n", label, wrong);
}

struct Graph {
    ggml_context* context;
    ggml_tensor *a, *b;

    Graph() {
        ggml_init_params parameters = {1 << 20, nullptr, true};
        context = ggml_init(parameters);
        a = ggml_new_tensor_2d(context, GGML_TYPE_F32, kColumns, kRows);
        b = ggml_new_tensor_2d(context, GGML_TYPE_F32, kColumns, 1);
    }

    bool run(ggml_backend_t backend, ggml_tensor* tensor) {
        ggml_cgraph* graph = ggml_new_graph(context);
        ggml_build_forward_expand(graph, tensor);
        if (!ggml_backend_alloc_ctx_tensors(context, backend)) return false;
        ggml_backend_tensor_set(a, matrix, 0, sizeof matrix);
        ggml_backend_tensor_set(b, vector, 0, sizeof vector);
        if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) return false;
        ggml_backend_tensor_get(tensor, result, 0, ggml_nbytes(tensor));
        return true;
    }
};

int main(int argc, char** argv) {
    ggml_backend_reg_t registry = argc > 1 ? ggml_backend_load(argv[1]) : nullptr;
    if (!registry || ggml_backend_reg_dev_count(registry) == 0) return 1;
    ggml_backend_t backend = ggml_backend_dev_init(ggml_backend_reg_dev_get(registry, 0), nullptr);
    if (!backend) return 1;
    for (int row = 0; row < kRows; row++)
        for (int column = 0; column < kColumns; column++)
            matrix[row][column] = ((row * kColumns + column) * 37 % 101 - 50) / 25.0f;
    for (int column = 0; column < kColumns; column++) vector[column] = (column * 53 % 97 - 48) / 31.0f;

    Graph add, product, sums, norm;
    if (!add.run(backend, ggml_add(add.context, add.a, add.b))) return 2;
    compare("add", kRows, kColumns, [](int row, int column) { return matrix[row][column] + vector[column]; });
    if (!product.run(backend, ggml_mul_mat(product.context, product.a, product.b))) return 2;
    compare("matrix times vector", 1, kRows, [](int, int row) {
        double sum = 0;
        for (int k = 0; k < kColumns; k++) sum += (double)matrix[row][k] * vector[k];
        return sum;
    });
    if (!sums.run(backend, ggml_sum_rows(sums.context, sums.a))) return 2;
    compare("sums of rows", kRows, 1, [](int row, int) {
        double sum = 0;
        for (int k = 0; k < kColumns; k++) sum += matrix[row][k];
        return sum;
    });
    if (!norm.run(backend, ggml_rms_norm(norm.context, norm.a, 1e-5f))) return 2;
    compare("norms of rows", kRows, kColumns, [](int row, int column) {
        double sum = 0;
        for (int k = 0; k < kColumns; k++) sum += (double)matrix[row][k] * matrix[row][k];
        // No libm here: a few of Newton's steps.
        double square = sum / kColumns + 1e-5, root = 1;
        for (int n = 0; n < 40; n++) root = (root + square / root) / 2;
        return matrix[row][column] / root;
    });
    return 0;
}
