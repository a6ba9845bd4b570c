//! What the packages promise, on those that `cargo xtask package` made: RMCP_PACKAGES, else those in the target folder.

use super::VERSION;
use anyhow::{Context, ensure};
use rmcp_hip_tests::require;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A file of the packages' folder; None, after a loud word, where there is none outside CI.
fn package(name: &str) -> Option<PathBuf> {
    let packages = std::env::var_os("RMCP_PACKAGES").map(PathBuf::from);
    let folder = packages.map_or_else(|| rmcp_hip_tests::target_dir().map(|target| target.join("packages")), Ok);
    let found = folder.and_then(|folder| {
        let file = std::path::absolute(folder.join(name))?;
        ensure!(file.is_file(), "{} is missing: run `cargo xtask package`", file.display());
        Ok(file)
    });
    require(name, found)
}

fn deb() -> Option<PathBuf> {
    package(&format!("rmcp_{VERSION}-1_amd64.deb"))
}

fn rpm() -> Option<PathBuf> {
    package(&format!("rmcp-{VERSION}-1.x86_64.rpm"))
}

fn archive() -> Option<PathBuf> {
    package(&format!("rmcp-{VERSION}-x86_64-linux.tar.gz"))
}

/// What a program ended with; None, after a loud word, where it is missing outside CI.
fn output(program: &str, arguments: &[&str], file: &Path) -> Option<Output> {
    let output = Command::new(program).args(arguments).arg(file).output();
    require(program, output.with_context(|| format!("run {program}: install Debian's package of it")))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn lintian_has_nothing_against_the_deb() {
    let Some(deb) = deb() else { return };
    let Some(output) = output("lintian", &["--allow-root", "--fail-on", "error,warning"], &deb) else { return };
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn rpmlint_finds_no_error_in_the_rpm() {
    let Some(rpm) = rpm() else { return };
    let config = super::texts().join("rpm/rpmlint.toml");
    let Some(output) = output("rpmlint", &["--config", config.to_str().unwrap()], &rpm) else { return };
    assert!(output.status.success() && text(&output).contains(" 0 errors, 0 warnings"), "{}", text(&output));
}

#[test]
fn shellcheck_has_nothing_against_the_scripts() {
    for (shell, script) in [
        ("sh", "archive/install.sh"),
        ("bash", "arch/PKGBUILD"),
        ("bash", "arch/rmcp.install"),
        ("sh", "debian/postinst"),
        ("sh", "debian/postrm"),
        ("sh", "debian/prerm"),
        ("sh", "rpm/post.sh"),
        ("sh", "rpm/postun.sh"),
        ("sh", "rpm/preun.sh"),
    ] {
        let Some(output) = output("shellcheck", &["--shell", shell], &super::texts().join(script)) else { return };
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// The lines that a program prints, each made the path of a file below the prefix of an installation.
fn files(program: &str, arguments: &[&str], package: &Path, path: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
    let output = output(program, arguments, package).expect("it was there a moment ago");
    assert!(output.status.success(), "{}", text(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(path).map(|path| path.trim_end_matches(".gz").to_owned()).collect()
}

#[test]
fn the_packages_have_the_same_files() {
    let (Some(deb), Some(rpm), Some(archive)) = (deb(), rpm(), archive()) else { return };
    let Some(_) = output("rpm", &["--query", "--package"], &rpm) else { return };
    let file = |path: &str| (!path.is_empty() && !path.ends_with('/')).then(|| path.to_owned());
    let of_archive = files("tar", &["--list", "--file"], &archive, |line| file(line.split_once('/')?.1));
    let of_rpm = files("rpm", &["--query", "--list", "--package"], &rpm, |line| file(line.strip_prefix("/usr/")?));
    let of_deb =
        files("dpkg-deb", &["--contents"], &deb, |line| file(line.split_once(" ./usr/")?.1.split(" -> ").next()?));
    assert!(of_archive.contains("bin/rmcp") && of_archive.contains("lib/rmcp/librmcp_core.so"), "{of_archive:?}");
    let only = |all: &BTreeSet<String>, others: &BTreeSet<String>| -> Vec<String> {
        all.difference(others).cloned().collect()
    };
    // The archive has the script too, and a link where each prefix has its libraries.
    assert_eq!(only(&of_archive, &of_rpm), ["install.sh", "lib/librmcp.so"]);
    assert_eq!(only(&of_rpm, &of_archive), [""; 0]);
    // Debian has names of its own for the licence and for the folder of zsh's completions, and wants a changelog.
    let zsh = |folder: &str| ["_rmcp", "_rmcp-run"].map(|name| format!("share/zsh/{folder}/{name}"));
    let others = ["share/doc/rmcp/LICENSE".to_owned()];
    assert_eq!(only(&of_rpm, &of_deb), [&others[..], &zsh("site-functions")].concat());
    let others = [
        "lib/x86_64-linux-gnu/librmcp.so",
        "share/doc/rmcp/changelog.Debian",
        "share/doc/rmcp/copyright",
        "share/lintian/overrides/rmcp",
    ];
    assert_eq!(only(&of_deb, &of_rpm), [&others.map(str::to_owned)[..], &zsh("vendor-completions")].concat());
}

/// A shell script run in `folder` by one who is not root, to whom the folder belongs then: makepkg refuses to run as root,
/// and what root uninstalls is disabled on this machine.
fn unprivileged(folder: &Path, script: &str, arguments: &[&str]) -> Output {
    const BECOME: &str = "
        if [ \"$(id -u)\" = 0 ]; then
            chown -R 65534:65534 .
            set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"
        fi
        HOME=$PWD/home exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", BECOME, "sh", "sh", "-euc", script, "sh"]).args(arguments).current_dir(folder);
    command.output().unwrap()
}

/// The archive, unpacked into a folder of its own, which also has the home of a user.
struct Unpacked {
    folder: TempDir,
}

impl Unpacked {
    fn get() -> Option<Self> {
        let archive = archive()?;
        let unpacked = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(unpacked.path("home/.local/share")).unwrap();
        let tar =
            Command::new("tar").arg("--extract").arg("--file").arg(archive).current_dir(&unpacked.folder).status();
        assert!(tar.unwrap().success());
        Some(unpacked)
    }

    /// What the install script does, called from another folder.
    fn install(&self, arguments: &[&str]) -> Output {
        let script = format!("script=$PWD/rmcp-{VERSION}-x86_64-linux/install.sh; cd /; exec \"$script\" \"$@\"");
        unprivileged(self.folder.path(), &script, arguments)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is below a folder, folders too.
    fn below(&self, name: &str) -> Vec<String> {
        let found = Command::new("find").arg(self.path(name)).args(["-mindepth", "1"]).output().unwrap();
        text(&found).lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_install_script_installs_what_runs_and_removes_all_of_it() {
    let Some(unpacked) = Unpacked::get() else { return };
    for _ in ["anew", "over itself"] {
        let output = unpacked.install(&["--user"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    let rmcp = unpacked.path("home/.local/bin/rmcp");
    let output = Command::new(rmcp).args(["explain", "hipHostMalloc", "0", "--card", "gfx1010"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let run = Command::new(unpacked.path("home/.local/bin/rmcp-run")).args(["--dry-run", "true"]).output().unwrap();
    assert!(text(&run).contains("home/.local/lib/rmcp/librmcp.so"), "{}", text(&run));

    // What it did not make stays.
    std::fs::write(unpacked.path("home/.local/bin/other"), "").unwrap();
    let output = unpacked.install(&["--user", "--uninstall"]);
    assert!(output.status.success(), "{}", text(&output));
    let left: Vec<_> = ["home/.local/bin", "home/.local/bin/other", "home/.local/share"]
        .map(|name| unpacked.path(name).display().to_string())
        .into();
    let found: BTreeSet<_> = unpacked.below("home/.local").into_iter().collect();
    assert_eq!(found, left.into_iter().collect());
}

#[test]
fn what_an_older_version_installed_goes_with_the_newer_one() {
    let Some(unpacked) = Unpacked::get() else { return };
    assert!(unpacked.install(&["--user"]).status.success());
    let old = "lib/rmcp/rmcp-old-client";
    std::fs::write(unpacked.path("home/.local").join(old), "").unwrap();
    let list = unpacked.path("home/.local/share/rmcp/installed");
    std::fs::write(&list, std::fs::read_to_string(&list).unwrap() + old + "\n").unwrap();
    assert!(unpacked.install(&["--user"]).status.success());
    assert!(!unpacked.path("home/.local").join(old).exists());
    assert!(unpacked.path("home/.local/bin/rmcp").exists());
}

#[test]
fn the_install_script_says_what_is_wrong_with_a_command_line() {
    let Some(unpacked) = Unpacked::get() else { return };
    for (arguments, status, message) in [
        (&["--prefix"][..], 2, "--prefix needs a folder"),
        (&["--prefix", ""], 2, "the folder of --prefix is empty"),
        (&["--prefix", "/one", "--user"], 2, "more than one place to install to"),
        (&["--all"], 2, "what is --all?"),
        (&["--prefix", "here"], 1, "here is not a whole path"),
        (&["--prefix", "/with blank"], 1, "LD_PRELOAD cannot express a blank"),
        (&["--prefix", "/proc/rmcp"], 1, "cannot write to /proc/rmcp"),
        (&["--prefix", "/proc/rmcp", "--uninstall"], 1, "nothing was installed there"),
    ] {
        let output = unpacked.install(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", text(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(message), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn makepkg_makes_a_package_that_disables_rmcp_before_it_goes() {
    let (Some(build), Some(_), Some(archive)) = (package("PKGBUILD"), package("rmcp.install"), archive()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for file in [&build, &build.with_file_name("rmcp.install"), &archive] {
        std::fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    let Some(_) = output("makepkg", &["--version"], Path::new("")) else { return };
    // The package manager itself is asked for nothing but what is installed.
    let made = unprivileged(folder.path(), "PACMAN=true PKGEXT=.pkg.tar exec makepkg --nodeps", &[]);
    assert!(made.status.success(), "{}", text(&made));
    let package = folder.path().join(format!("rmcp-bin-{VERSION}-1-x86_64.pkg.tar"));
    let packed = files("tar", &["--list", "--file"], &package, |line| Some(line.to_owned()));
    for file in ["usr/bin/rmcp", "usr/lib/librmcp.so", "usr/lib/systemd/system/rmcp-rollback.service", "etc/rmcp.toml"]
    {
        assert!(packed.contains(file), "{file}: {packed:?}");
    }
    let arguments = ["--extract", "--to-stdout", "--file", package.to_str().unwrap()];
    let script = text(&output("tar", &arguments, Path::new(".INSTALL")).unwrap());
    assert!(script.contains("pre_remove() {\n    /usr/lib/rmcp/rmcp-rescue disable --system"), "{script}");
}
