//! What the user may set. [`TABLE`] is the one place that knows it: parsing of files and environment, `--help`,
//! `docs/options.md` and `config/rmcp.toml` all come from it.

mod callers;
mod check;
mod docs;
mod load;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use callers::{Exception, ForCaller, Linkage};
pub use check::check;
pub use docs::{config_file, markdown, usage};
pub use load::{Complaint, Loaded, Origin, Place, assignment, similar};
pub use sources::{Program, SYSTEM_FENCES, SYSTEM_FILE, Sources, VARIABLES, WISHES, Wish, is_disabled, user_file};
pub use table::{Choice, Kind, Options, Row, Scope, TABLE, row};
pub use values::{
    Apu, Callers, Capabilities, DeviceFinegrained, DeviceUncached, DispatchTable, EventFence, Fraction, Host, HsaPool,
    Level, Managed, Mode, NotAFraction, Raw, Register,
};
