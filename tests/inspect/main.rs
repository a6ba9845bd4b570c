//! What `rmcp::inspect` reads out of files of every kind, sound, broken and hostile.

mod cards;
mod files;
mod folders;
mod hostile;
mod make;
