//! Every recipe on a machine, and with a program, built for it: a KFD topology as files, and a framework whose libraries
//! hold code that Debian's hipcc compiled. What `rmcp-run` then gives the program is compared whole.

mod cases;
mod machine;
mod program;
mod runtime;
