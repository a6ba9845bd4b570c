// A kernel that does empty, for whichever targets it is compiled. As a program it prints its environment.
// Without HIP's headers, of which a compiler reads a megabyte for each target: -nogpuinc -nogpulib.

extern "C" int puts(const char*);
extern "C" char** environ;

struct dim3 {
    unsigned x, y, z;
};
// What clang calls to launch a kernel.
extern "C" int hipLaunchKernel(const void*, dim3, dim3, void**, unsigned long, void*);

__attribute__((global)) void empty() {}

// Refers to the kernel, so that it is registered.
extern "C" const void* kernel() { return reinterpret_cast<const void*>(empty); }

int main() {
    for (char** variable = environ; *variable; ++variable) puts(*variable);
}
