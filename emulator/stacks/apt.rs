//! A private apt root: resolves and downloads another suite's packages, changing nothing outside.

use crate::mirror::Mirror;
use crate::prefix::Package;
use crate::progress::Progress;
use crate::release::Release;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An apt whose state, lists and sources lie in one directory of ours.
pub(crate) struct Apt {
    root: PathBuf,
    release: Release,
}

impl Apt {
    /// Opens the root, writing its configuration, and downloads the suite's lists when it has none
    /// or `refresh` asks for new ones.
    pub(crate) fn open(root: PathBuf, release: Release, refresh: bool, progress: &mut Progress) -> Result<Apt> {
        let apt = Apt { root, release };
        let mirror = Mirror::find()?;
        for directory in ["lists/partial", "cache/archives/partial"] {
            let path = apt.root.join(directory);
            std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        apt.write("status", "")?;
        apt.write("debian.sources", &sources(release, &mirror))?;
        apt.write("apt.conf", &configuration(&apt.root))?;
        if refresh || !apt.root.join("updated").exists() {
            progress.step("downloading package lists");
            apt.run(&["-qq", "-o", "APT::Update::Error-Mode=any", "update"])?;
            apt.write("updated", "")?;
        }
        Ok(apt)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.root.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// `names` and all they depend on.
    pub(crate) fn resolve(&self, names: &[&str]) -> Result<Vec<Package>> {
        let mut args = vec!["-qq", "--print-uris", "--no-install-recommends"];
        // sid's packages win otherwise: experimental has a lower pin priority.
        args.extend(["-t", self.release.suite(), "install"]);
        args.extend(names);
        Ok(packages(&self.run(&args)?))
    }

    /// `names` alone, without what they depend on.
    pub(crate) fn alone(&self, names: &[&str]) -> Result<Vec<Package>> {
        let mut args = vec!["-qq", "--print-uris", "-t", self.release.suite(), "download"];
        args.extend(names);
        Ok(packages(&self.run(&args)?))
    }

    /// Every package name in the suite that starts with `prefix`.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let output = self.command("apt-cache").args(["pkgnames", prefix]).output();
        let output = output.context("run apt-cache")?;
        let names = String::from_utf8_lossy(&output.stdout);
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Downloads exactly these packages into `directory`; apt checks each against the signed lists.
    pub(crate) fn download(&self, packages: &[Package], directory: &Path, progress: &mut Progress) -> Result<()> {
        if packages.is_empty() {
            return Ok(());
        }
        let mut child = self
            .command("apt-get")
            .args(["-qq", "-o", "APT::Status-Fd=1", "download"])
            .args(packages.iter().map(|p| format!("{}={}", p.name, p.version)))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("run apt-get")?;
        let stdout = child.stdout.take().context("apt-get without stdout")?;
        for line in BufReader::new(stdout).lines() {
            // dlstatus:<file>:<percent of the bytes>:<text>
            let line = line.context("read apt-get's progress")?;
            let percent = line.strip_prefix("dlstatus:").and_then(|rest| {
                let percent = rest.split(':').nth(1)?.split('.').next()?;
                percent.parse().ok()
            });
            if let Some(percent) = percent {
                progress.percent(percent);
            }
        }
        let mut errors = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut errors).context("read apt-get's errors")?;
        }
        if !child.wait().context("wait for apt-get")?.success() {
            bail!("apt-get download from Debian {} failed:\n{errors}", self.release.suite());
        }
        Ok(())
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.command("apt-get").args(args).output();
        let output = output.context("run apt-get (is this a Debian or Ubuntu machine?)")?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("apt-get on Debian {} failed:\n{}", self.release.suite(), errors.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // An empty or relative entry of PATH must not lead to the current folder.
        command.arg("-c").arg(self.root.join("apt.conf")).env("LC_ALL", "C").current_dir("/");
        // A preload meant for what runs in the stack is none of apt's business.
        command.env_remove("LD_PRELOAD");
        command
    }
}

fn sources(release: Release, mirror: &Mirror) -> String {
    let mut text = format!(
        "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nArchitectures: amd64\n",
        mirror.uri,
        release.suites()
    );
    if let Some(keys) = &mirror.signed_by {
        text += &format!("Signed-By: {keys}\n");
    }
    text
}

/// Read after the machine's own configuration, whose proxy settings stay in force. Its hooks and
/// additional index targets do not: they would act on the system.
fn configuration(root: &Path) -> String {
    let root = root.display();
    format!(
        r#"#clear APT::Update;
#clear APT::Architectures;
#clear APT::Default-Release;
#clear DPkg;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
// Run by root, apt would drop to a user who cannot read a private cache.
APT::Sandbox::User "root";
// A mirror may be a snapshot. Signatures are checked all the same.
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
"#
    )
}

/// Reads `'URI' name_version_arch.deb size hash` lines.
pub(crate) fn packages(uris: &str) -> Vec<Package> {
    uris.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let mut file = fields.next()?.split('_');
            Some(Package {
                name: file.next()?.to_owned(),
                version: file.next()?.replace("%3a", ":"),
                bytes: fields.next()?.parse().ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_line_gives_name_version_and_size() {
        let line = "'http://m.test/pool/libllvm15.deb' libllvm15_1%3a15.0.6-4+b1_amd64.deb 42 MD5:0";
        assert_eq!(packages(line), [Package { name: "libllvm15".into(), version: "1:15.0.6-4+b1".into(), bytes: 42 }]);
    }
}
