//! `rmcp trace` reports every allocation that a program made, however the program ends, and ends as it does.
#![forbid(unsafe_code)]

mod counts;
mod endings;
mod incomplete;
mod refusals;
mod traced;
