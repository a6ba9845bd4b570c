//! A machine with RMCP in its list boots and goes down as without, and comes back from a broken list: Debian 12 with its
//! kernel and systemd, in virtual machines.

mod boot;
mod confirm;
mod power;
mod rescue;
mod security;

use rmcp_machines::vm::{Base, Disk, Vm};
use rmcp_machines::{ABORTING, require};

/// A machine's disk, with RMCP's package at hand. None, after a loud word, where there can be none.
fn disk() -> Option<Disk> {
    let base = require("a Debian system to boot", Base::fetch())?;
    require("a disk for a virtual machine", Disk::new(&base, &[("abort.so", ABORTING)]))
}

/// Installs RMCP, which enables nothing.
fn install(vm: &mut Vm) {
    vm.bash(&format!("mount -o ro {} /mnt && dpkg --force-unsafe-io --install /mnt/rmcp_*.deb", Disk::MEDIUM));
}

/// Prints the list.
const LIST: &str = "cat /etc/ld.so.preload 2> /dev/null || true";

/// What systemd says of the machine once all is started, and which units failed.
const STATE: &str = "systemctl is-system-running --wait; systemctl --failed --no-legend --plain";

/// The programs that run, each after the word that says whether RMCP is in it. The kernel's own have no maps.
const PROGRAMS: &str = "for process in /proc/[0-9]*; do
    { maps=$(< $process/maps) && name=$(< $process/comm); } 2> /dev/null || continue
    case $maps in '') ;; */librmcp.so*) echo with $name ;; *) echo without $name ;; esac
done";

/// Ends the machine as a power cut does: nothing more is written. (Linux, Documentation/admin-guide/sysrq.rst)
const POWER_CUT: &str = "echo b > /proc/sysrq-trigger";

/// Puts a file into the place of the libraries that the list names, and brings that to the disk, all by a program that
/// runs already: perhaps none can start after it.
fn library_replaced_by(file: &str) -> String {
    let libraries = "/usr/lib/rmcp/system/*/lib/*/librmcp.so";
    format!(
        "for library in {libraries}; do cp {file} $library.new; done
        perl -e 'for (glob \"{libraries}\") {{ rename \"$_.new\", $_ or die }} syscall 162'" // sync(2)
    )
}
