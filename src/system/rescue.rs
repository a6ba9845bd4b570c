//! What `rmcp-rescue` says of itself. It is built without clap; its man page is made of this.

/// Its help: what it is for, its command lines, and what each does.
pub const USAGE: &str = "\
Takes RMCP out of /etc/ld.so.preload, also where no other program starts any more.

usage: rmcp-rescue disable [--system] [--purge]
       rmcp-rescue rollback [--after SECONDS] [--id ID]

  disable    takes RMCP out of the list; with --purge its libraries go too, although processes have them mapped
  rollback   does so unless `rmcp enable --system --confirm` came first; for the timers of --confirm-within
";
