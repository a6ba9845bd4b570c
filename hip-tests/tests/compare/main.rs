//! A program sees nothing of RMCP with `policy = "keep"`, and by default what is listed in `calls.rs` alone: everything that
//! more than a thousand calls give back is compared, with and without RMCP. Three of the options show what they are about.
#![forbid(unsafe_code)]

mod calls;
mod capabilities;
mod registered;
mod reuse;
mod vram;
