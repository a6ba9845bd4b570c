//! Virtual machines: what only a machine that really boots can show.
//!
//! QEMU runs a Debian 12 with its own kernel and systemd, over [`Base`], which is made once. A [`Vm`] is one run of it,
//! from the boot until it goes down, on a [`Disk`] that lives on. An agent on the machine does what a test asks; it is
//! reached over a virtio port. There is no network.

mod base;
mod console;
mod disk;
mod medium;

pub use base::Base;
pub use disk::Disk;

use anyhow::{Context, Result};
use console::{Console, WaitError};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As long as a machine may say nothing that is waited for, although its processor is emulated by a busy one.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What becomes of a machine whose first process is the agent, without systemd: it is there sooner.
pub const AGENT_ONLY: &str = "rw init=/usr/local/sbin/agent";

/// A running virtual machine, ended when dropped.
#[derive(Debug)]
pub struct Vm {
    qemu: Child,
    console: Console,
    agent: Option<BufReader<UnixStream>>,
}

/// What a script did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOutput {
    /// Its exit status.
    pub status: String,
    /// Its standard output, without the last line ends.
    pub stdout: String,
    /// Its standard error, without the last line ends.
    pub stderr: String,
}

impl Vm {
    /// Starts a machine, with more words on its kernel's command line, and waits for nothing.
    ///
    /// # Errors
    /// Without QEMU.
    pub fn start(disk: &Disk, parameters: &str) -> Result<Self> {
        let (screen, printer) = io::pipe().context("make a pipe for the console")?;
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot"]);
        if has_virtualization() {
            command.args(["-accel", "kvm"]);
        }
        command.args(["-accel", "tcg", "-m", "512"]);
        command.arg("-kernel").arg(disk.base.kernel()).arg("-initrd").arg(disk.base.initrd());
        // The kernel would check whether its timer ticks in time, and stop; an emulated one may be late.
        command.arg("-append").arg(format!("root=/dev/vda console=ttyS0 no_timer_check {parameters}"));
        command.arg("-drive").arg(format!("file={},format=qcow2,if=virtio", disk.image().display()));
        command.arg("-drive").arg(format!("file={},format=raw,if=virtio,readonly=on", disk.medium.display()));
        command.args(["-serial", "stdio", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]);
        command.arg("-chardev").arg(format!("socket,id=agent,server=on,wait=off,path={}", disk.socket().display()));
        command.args(["-device", "virtserialport,chardev=agent,name=rmcp"]);
        command.stdin(Stdio::piped()).stdout(printer.try_clone()?).stderr(printer);
        let mut qemu = command.spawn().context("run qemu-system-x86_64 (Debian's package qemu-system-x86)")?;
        // The command has the pipe's other end: without it the console ends with QEMU.
        drop(command);
        let keyboard = qemu.stdin.take().context("QEMU's standard input")?;
        Ok(Self { qemu, console: Console::new(screen, keyboard), agent: None })
    }

    /// Starts a machine and waits for its agent.
    ///
    /// # Panics
    /// When it goes down before, or nothing happens.
    pub fn boot(disk: &Disk, parameters: &str) -> Self {
        // A panic of its kernel ends it at once.
        let mut vm = Self::start(disk, &format!("panic=-1 {parameters}")).expect("a machine that tests may start");
        // By then QEMU has made the socket.
        vm.wait_for("Linux version");
        let agent = UnixStream::connect(disk.socket()).expect("the machine's agent");
        agent.set_read_timeout(Some(LIMIT)).expect("a time limit for the agent");
        vm.agent = Some(BufReader::new(agent));
        assert_eq!(vm.read_field(), "ready");
        vm
    }

    /// Waits for a text on the console, after the one that was waited for before.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, text: &str) {
        match self.console.wait_for(text, LIMIT) {
            Ok(()) => {}
            Err(WaitError::Ended) => self.fail(&format!("went down and never said {text:?}")),
            Err(WaitError::Late) => self.fail(&format!("never said {text:?}")),
        }
    }

    /// Types a line on the console.
    ///
    /// # Panics
    /// When the machine is down.
    pub fn type_line(&self, line: &str) {
        self.console.write(&format!("{line}\n")).unwrap_or_else(|error| self.fail(&format!("takes no key: {error}")));
    }

    /// What a script of bash does on the machine.
    ///
    /// # Panics
    /// When the agent does not answer.
    pub fn run(&mut self, script: &str) -> ScriptOutput {
        self.send(script);
        ScriptOutput { status: self.read_field(), stdout: self.read_field(), stderr: self.read_field() }
    }

    /// What a script of bash prints on the machine.
    ///
    /// # Panics
    /// When it fails, or says anything on standard error.
    pub fn bash(&mut self, script: &str) -> String {
        let said = self.run(script);
        assert!(said.status == "0" && said.stderr.is_empty(), "{script}: {said:?}");
        said.stdout
    }

    /// Starts a script that ends the machine, waits for that and returns what the console said.
    ///
    /// # Panics
    /// When it does not go down.
    pub fn run_until_down(mut self, script: &str) -> String {
        self.send(script);
        self.wait_until_down()
    }

    /// Waits until the machine has switched itself off or wants to start anew, and returns what the console said.
    ///
    /// # Panics
    /// When it does not go down.
    pub fn wait_until_down(mut self) -> String {
        if self.console.wait_for_end(LIMIT).is_err() {
            self.fail("did not go down");
        }
        let status = self.qemu.wait().expect("the end of QEMU");
        assert!(status.success(), "QEMU: {status}\n{}", self.console.text());
        self.console.text()
    }

    fn send(&mut self, script: &str) {
        let sent = self.agent.as_mut().map(|agent| agent.get_mut().write_all(format!("{script}\0").as_bytes()));
        if !matches!(sent, Some(Ok(()))) {
            self.fail("has no agent that listens");
        }
    }

    /// What the agent says next.
    fn read_field(&mut self) -> String {
        let mut field = Vec::new();
        let read = self.agent.as_mut().map(|agent| agent.read_until(0, &mut field));
        match read {
            Some(Ok(_)) if field.pop() == Some(0) => String::from_utf8_lossy(&field).into_owned(),
            Some(Ok(_)) => self.fail("went down"),
            _ => self.fail("has an agent that does not answer"),
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("the machine {what}; its console:\n{}", base::last_lines(&self.console.text(), 60))
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Where it went down both do nothing.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Whether the processor can run a kernel as it is. Where it cannot, a /dev/kvm is for kernels made for it only, as in some
/// virtual machines, and another one hangs.
fn has_virtualization() -> bool {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processor.split_whitespace().any(|flag| flag == "vmx" || flag == "svm")
}
