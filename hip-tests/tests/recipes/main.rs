//! `rmcp-run` gives a program exactly the environment of the recipe that fits the machine and the program.
//!
//! Each recipe has both built for it: a KFD topology as files, and a framework whose libraries hold code that Debian's hipcc
//! compiled. What the program then gets is compared whole.
#![forbid(unsafe_code)]

mod cards;
mod cases;
mod machine;
mod program;
mod runtime;
