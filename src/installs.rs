//! The ROCm installations of this machine, and the frameworks that bring a runtime of their own.
