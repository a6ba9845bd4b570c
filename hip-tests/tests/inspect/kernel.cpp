// The smallest program with code for a GPU. clang wants the launcher declared.
struct dim3 {
    unsigned x, y, z;
};
extern "C" int hipLaunchKernel(const void *, dim3, dim3, void **, decltype(sizeof 0), struct Stream *);

__attribute__((global)) void kernel(int *out) { *out = 1; }
