//! What the cards have and the interpreter refuses.

/// Beginnings of mnemonics, and why. Whoever adds the instructions takes the line away: `tests/coverage.rs` holds that every
/// mnemonic that LLVM knows for these cards has a row or begins like one of these, and not both.
pub const REFUSED: &[(&str, &str)] = &[
    ("image_", "arrays of the runtime are tiled, and sampling filters: neither is modelled"),
    ("exp", "graphics"),
    ("v_interp_", "graphics"),
    ("s_store_", "no compiler emits scalar stores, and RDNA2 has none"),
    ("s_buffer_store_", "as s_store"),
    ("s_atomic_", "as s_store"),
    ("s_buffer_atomic_", "as s_store"),
    ("s_scratch_", "as s_store"),
    ("s_get_waveid_in_workgroup", "no compiler emits it, and RDNA2 has none"),
    ("s_rfe_b64", "trap handlers are not modelled"),
    ("s_sethalt", "debuggers are not modelled"),
    ("s_sendmsghalt", "debuggers are not modelled"),
    ("s_setkill", "graphics"),
    ("s_code_end", "it marks what is no code"),
    ("ds_gws_sema_", "of global wave sync only barriers are modelled"),
    ("ds_ordered_count", "graphics; the global data share is not modelled"),
];
