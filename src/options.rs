//! What the user may set. [`TABLE`] is the one place that knows it: parsing of files and environment, `--help`,
//! `docs/options.md` and `config/rmcp.toml` all come from it.

mod docs;
mod load;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use docs::{config_file, markdown, usage};
pub use load::{Complaint, Loaded, Origin, Place, Program, Sources, assignment, is_disabled};
pub use table::{Choice, Kind, Options, Row, TABLE, row};
pub use values::{Apu, DeviceFinegrained, DeviceUncached, EventFence, Host, HsaPool, Level, Managed, Mode, Raw};
