//! What `rmcp trace` promises, on the real ROCm runtime over an emulated card.
#![forbid(unsafe_code)]

mod counts;
mod endings;
mod refusals;
mod traced;
