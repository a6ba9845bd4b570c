//! Releases of a small folder and repository, signed by a key that nobody keeps.

use super::*;
use tempfile::TempDir;

const OWNER: &str = "Nobody <nobody@example.invalid>";

/// A new key, and the folder that has it.
struct Keys(TempDir);

impl Keys {
    fn new() -> (Self, Gpg) {
        let folder = tempfile::tempdir().expect("a folder");
        let gpg = Gpg { home: Some(folder.path().to_owned()) };
        let key = ["--passphrase", "", "--quick-generate-key", OWNER, "ed25519", "sign", "never"];
        stdout_of(gpg.command().args(key)).expect("gpg makes a key");
        (Self(folder), gpg)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = stdout_of(Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "gpg-agent"]));
    }
}

/// Two files with their checksums.
fn artefacts() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["rmcp.deb", "rmcp.rpm"] {
        fs::write(folder.path().join(name), name).expect("a file");
    }
    seal(folder.path()).expect("checksums");
    folder
}

/// A repository with one commit and a changelog.
fn repository(changelog: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("CHANGELOG.md"), changelog).expect("a file");
    stdout_of(git(folder.path()).args(["init", "--quiet"])).expect("git init");
    stdout_of(git(folder.path()).args(["add", "."])).expect("git add");
    let name = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.invalid", "-c", "commit.gpgSign=false"];
    stdout_of(git(folder.path()).args(name).args(["commit", "--quiet", "--message=One"])).expect("git commit");
    folder
}

const DATED: &str = "# Changelog\n\n## [1.2.3] - 2026-11-21\n\n- Something.\n";
const UNDATED: &str = "# Changelog\n\n## [1.2.3] - Unreleased\n\n- Something.\n";

/// What is asked for by a command line.
fn release(arguments: &[&str]) -> Release {
    clap::Parser::try_parse_from([&["release"], arguments].concat()).expect("a command line")
}

/// All that an error says.
fn error<T>(result: Result<T>) -> String {
    format!("{:#}", result.err().expect("it must fail"))
}

#[test]
fn what_is_signed_passes_the_check_and_names_every_file() {
    let (_keys, gpg) = Keys::new();
    let folder = artefacts();
    gpg.sign(folder.path(), OWNER).expect("it is signed");
    check(folder.path(), Some(&gpg)).expect("it is as it was signed");

    let sums = fs::read_to_string(folder.path().join(SUMS)).expect("it is there");
    assert_eq!(sums.lines().map(|line| &line[64..]).collect::<Vec<_>>(), ["  rmcp.deb", "  rmcp.rpm"]);
}

#[test]
fn a_changed_artefact_is_named() {
    let folder = artefacts();
    fs::write(folder.path().join("rmcp.rpm"), "another").expect("a file");
    let error = error(check(folder.path(), None));
    assert!(error.contains("rmcp.rpm: FAILED") && !error.contains("rmcp.deb"), "{error}");
}

#[test]
fn an_artefact_that_is_missing_or_was_added_is_named() {
    let folder = artefacts();
    fs::rename(folder.path().join("rmcp.rpm"), folder.path().join("rmcp.zip")).expect("it is there");
    let missing = error(check(folder.path(), None));
    assert!(missing.contains("rmcp.rpm: FAILED open or read"), "{missing}");

    fs::copy(folder.path().join("rmcp.zip"), folder.path().join("rmcp.rpm")).expect("it is there");
    let added = error(check(folder.path(), None));
    assert!(added.starts_with("SHA256SUMS has no checksum of rmcp.zip"), "{added}");
}

#[test]
fn checksums_written_anew_do_not_pass_for_signed() {
    let (_keys, gpg) = Keys::new();
    let folder = artefacts();
    let unsigned = error(check(folder.path(), Some(&gpg)));
    assert!(unsigned.contains("nobody signed it"), "{unsigned}");

    gpg.sign(folder.path(), OWNER).expect("it is signed");
    fs::write(folder.path().join("rmcp.rpm"), "another").expect("a file");
    seal(folder.path()).expect("checksums");
    let forged = error(check(folder.path(), Some(&gpg)));
    assert!(forged.contains("no good signature") && forged.contains("BAD signature"), "{forged}");
}

#[test]
fn a_signature_by_an_unknown_key_does_not_pass() {
    let (_keys, gpg) = Keys::new();
    let (_others, other) = Keys::new();
    let folder = artefacts();
    other.sign(folder.path(), OWNER).expect("it is signed");
    let error = error(check(folder.path(), Some(&gpg)));
    assert!(error.contains("No public key"), "{error}");
}

#[test]
fn without_a_key_nothing_is_released_unless_unsigned_is_asked_for() {
    let (_keys, gpg) = Keys::new();
    let unnamed = error(release(&[]).key(&gpg, None));
    assert!(unnamed.contains("RMCP_SIGNING_KEY") && unnamed.contains("--unsigned"), "{unnamed}");
    let unknown = error(release(&[]).key(&gpg, Some("DEADBEEF".into())));
    assert!(unknown.starts_with("gpg has no secret key \"DEADBEEF\""), "{unknown}");

    assert_eq!(release(&[]).key(&gpg, Some(OWNER.into())).expect("gpg has it"), Some(OWNER.into()));
    assert_eq!(release(&["--unsigned"]).key(&gpg, Some(OWNER.into())).expect("none is needed"), None);
}

#[test]
fn the_notes_are_the_changelogs_section() {
    let repository = repository(DATED);
    assert_eq!(release(&[]).notes(repository.path(), "1.2.3").expect("all is there"), "- Something.\n");
}

#[test]
fn a_changed_tree_is_not_released() {
    let repository = repository(DATED);
    fs::write(repository.path().join("new"), "").expect("a file");
    let error = error(release(&[]).notes(repository.path(), "1.2.3"));
    assert_eq!(error, "what is not committed cannot be released:\n?? new\ncommit it");
    release(&["--allow-dirty"]).notes(repository.path(), "1.2.3").expect("a trial may");
}

#[test]
fn a_version_that_the_changelog_does_not_date_is_not_released() {
    let repository = repository(UNDATED);
    let undated = error(release(&[]).notes(repository.path(), "1.2.3"));
    assert!(undated.contains("write `## [1.2.3] - YYYY-MM-DD`"), "{undated}");
    release(&["--allow-dirty"]).notes(repository.path(), "1.2.3").expect("a trial may");
    let missing = error(release(&["--allow-dirty"]).notes(repository.path(), "1.2.4"));
    assert!(missing.contains("no section \"## [1.2.4]\""), "{missing}");
}

#[test]
fn a_tag_of_another_version_is_not_released() {
    let repository = repository(DATED);
    let error = error(release(&["--tag", "v1.2.4"]).notes(repository.path(), "1.2.3"));
    assert_eq!(error, "the tag is v1.2.4, and the version in Cargo.toml 1.2.3");
    release(&["--tag", "v1.2.3"]).notes(repository.path(), "1.2.3").expect("it is that version's");
}
