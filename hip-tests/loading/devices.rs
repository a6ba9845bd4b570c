//! The devices that a stub has.

use std::env;

/// The devices' architecture names: STUB_ARCHS, separated by commas.
pub fn archs() -> Vec<String> {
    let names = env::var("STUB_ARCHS").unwrap_or_default();
    names.split(',').map(String::from).filter(|arch| !arch.is_empty()).collect()
}
