//! rmcp-run as a command, with empty libraries in place of RMCP's.

mod installed;
mod launchers;
mod obstacles;
mod options;
mod process;
mod recipes;
mod trace;
