//! The gfx targets that files have code for.
