//! RMCP's domain library. Under construction.
#![forbid(unsafe_code)]
