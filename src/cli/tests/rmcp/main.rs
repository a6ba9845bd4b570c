//! The command `rmcp` as it is built, on machines made of files.

mod commands;
mod config;
mod detect;
mod doctor;
mod explain;
mod facts;
mod machine;
mod schema;
