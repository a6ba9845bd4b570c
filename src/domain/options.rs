//! What the user may set. [`TABLE`] is the one place that knows it: parsing of files and environment, `--help`,
//! `docs/reference/options.md` and `config/rmcp.toml` all come from it.

mod callers;
mod check;
mod complaint;
mod docs;
mod file;
mod layers;
mod load;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use callers::{CallerOptions, Exception, Linkage};
pub use check::check;
pub use complaint::{Complaint, Origin, Place, assignment, did_you_mean};
pub use docs::{config_file, usage};
pub use load::Loaded;
pub use sources::{
    COHERENCE_VARIABLES, CoherenceVariable, Program, SYSTEM_FENCES, SYSTEM_FILE, Sources, VARIABLES, is_disabled,
    user_file, user_folder,
};
pub use table::{Options, Row, Scope, TABLE, row};
pub use values::{
    Apu, Callers, Capabilities, Choice, DeviceFinegrained, DeviceUncached, DispatchTable, EventFence, Fraction, Host,
    HsaPool, Kind, Level, Managed, Mode, NotAFraction, RawValue, Register, SaveArea,
};
