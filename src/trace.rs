//! What a program allocated, as librmcp_core.so recorded it.
