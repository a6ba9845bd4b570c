// y = a * x + y for each work-item below n, by the sizes that the hardware and the runtime give.
// saxpy-v4.hsaco, saxpy-v5.hsaco and saxpy-wave64.hsaco are made of it by clang 21:
//   clang -x hip --offload-arch=gfx1010 --offload-device-only -nogpulib -nogpuinc --no-gpu-bundle-output -O2 saxpy.hip
// with -mcode-object-version=4, =5, and =5 -mwavefrontsize64.
#define GLOBAL __attribute__((global))
extern "C" GLOBAL void saxpy(unsigned n, float a, const float* x, float* y) {
  unsigned i = __builtin_amdgcn_workgroup_id_x() * __builtin_amdgcn_workgroup_size_x() +
               __builtin_amdgcn_workitem_id_x();
  if (i < n) y[i] += a * x[i];
}
