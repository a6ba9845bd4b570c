//! `include/rmcp.h`, from src/core/header.rs.

use crate::run::root;

pub fn text() -> String {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        include_guard: Some("RMCP_H".into()),
        cpp_compat: true,
        style: cbindgen::Style::Type,
        documentation_style: cbindgen::DocumentationStyle::C,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        no_includes: true,
        usize_is_size_t: true,
        header: Some(HEAD.into()),
        ..cbindgen::Config::default()
    };
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root().join("src/core/header.rs"))
        .generate()
        .expect("src/core/header.rs can be read");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("cbindgen writes text")
}

const HEAD: &str = "\
/* RMCP's C interface. Generated from src/core/header.rs by `cargo xtask generate`.
 *
 * librmcp.so exports these functions when it is preloaded. A program that must also run without it declares them weak
 * and tests their addresses. */";
