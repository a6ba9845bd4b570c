//! What `rmcp_cli::inspect` reads out of files of every kind, sound, broken and hostile.

mod cards;
mod command;
mod files;
mod folders;
mod hostile;
mod kernel_names;
mod kpack;
mod make;
