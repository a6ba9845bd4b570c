//! What is found of ROCm, frameworks and libraries on machines made of files.

mod applications;
mod known;
mod layouts;
mod machine;
mod programs;
mod python;
mod rocm;
