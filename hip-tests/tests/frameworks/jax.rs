//! JAX.

use crate::{Framework, Outcome, Row};
use rmcp_hip_tests::{Release, jax};

pub const JAX: Framework = Framework {
    name: "JAX",
    version: "jax, jaxlib, jax-rocm60-plugin and jax-rocm60-pjrt 0.5.0 from PyPI",
    release: Release::Rocm643,
    date: "2026-11-30",
    needs: "rocBLAS and hipBLAS, LLVM's linker and ROCm's bitcode from Debian, the first with the kernels for gfx1030 alone; \
            `XLA_FLAGS=--xla_gpu_autotune_level=0`, because autotuning takes minutes on an emulated card.",
    limits: "RCCL, hipBLASLt and MIOpen are stand-ins, and rocSOLVER, hipSOLVER and hipFFT are there in name only: no \
             collectives, no convolutions, no decompositions, no Fourier transforms. XLA has a list of targets of its own \
             which has gfx1030 and no other of RDNA1 and RDNA2; for gfx1010 there is no way around it. Results are within \
             1e-5 of the processor's largest.",
    rows: &ROWS,
};

const REFUSED: Outcome = Outcome::Fails("no supported devices found for platform ROCM");

const ROWS: [Row; 6] = [
    Row { program: "jit", card: "gfx1030", outcomes: [Outcome::Works; 3] },
    Row { program: "grad", card: "gfx1030", outcomes: [Outcome::Works; 3] },
    Row { program: "mlp", card: "gfx1030", outcomes: [Outcome::Works; 3] },
    Row { program: "transformer", card: "gfx1030", outcomes: [Outcome::Works; 3] },
    Row { program: "mlp", card: "gfx1031", outcomes: [REFUSED, REFUSED, Outcome::Works] },
    Row { program: "mlp", card: "gfx1010", outcomes: [REFUSED; 3] },
];

fn run(program: &str, card: &str) {
    JAX.run(program, card, || {
        let mut command = jax("jax_train.py")?;
        command.arg(program);
        Ok(command)
    });
}

#[test]
fn jax_computes_on_gfx1030_as_on_the_cpu() {
    ["jit", "grad", "transformer"].into_iter().for_each(|program| run(program, "gfx1030"));
}

#[test]
fn jax_trains_on_gfx1030_as_on_the_cpu() {
    run("mlp", "gfx1030");
}

#[test]
fn jax_trains_on_gfx1031_under_rmcp_run_alone() {
    run("mlp", "gfx1031");
}

#[test]
fn xlas_own_list_refuses_gfx1010() {
    run("mlp", "gfx1010");
}
