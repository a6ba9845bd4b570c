//! Which Debian mirror to use: the one this machine's apt is configured with.

use std::fmt;
use std::path::{Path, PathBuf};

/// Names a mirror explicitly, for machines whose apt knows none (Ubuntu) or to pin a snapshot.
const OVERRIDE: &str = "RMCP_DEBIAN_MIRROR";

/// Debian's archive keys as the package `debian-archive-keyring` installs them.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// Suites of the Debian archive proper. Security, updates and backports live beside them and
/// carry no ROCm.
const SUITES: [&str; 11] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "experimental",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// A Debian mirror and the keys that vouch for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The URI as apt takes it.
    pub uri: String,
    /// The value of `Signed-By`; `None` leaves apt's own trusted keys in charge.
    pub signed_by: Option<String>,
}

/// No Debian mirror is configured on this machine, or no keys to check it with.
#[derive(Debug, PartialEq, Eq)]
pub enum NoMirror {
    /// No apt source under this directory names a Debian suite.
    NotConfigured(PathBuf),
    /// The override is set, but Debian's keys are not installed.
    NoKeyring,
}

impl fmt::Display for NoMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoMirror::NotConfigured(etc) => write!(
                f,
                "no Debian mirror among the apt sources in {}; set {OVERRIDE} to the URI of one \
                 and install the package debian-archive-keyring",
                etc.display()
            ),
            NoMirror::NoKeyring => write!(
                f,
                "{OVERRIDE} is set, but Debian's archive keys are in none of {}; install the \
                 package debian-archive-keyring",
                KEYRINGS.join(", ")
            ),
        }
    }
}

impl std::error::Error for NoMirror {}

impl Mirror {
    /// The mirror in `$RMCP_DEBIAN_MIRROR`, else the one configured in `/etc/apt`.
    ///
    /// # Errors
    /// When neither names a Debian mirror, or the override lacks keys to check it with.
    pub fn find() -> Result<Mirror, NoMirror> {
        match std::env::var(OVERRIDE) {
            Ok(uri) if !uri.trim().is_empty() => {
                let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists());
                Ok(Mirror {
                    uri: uri.trim().to_owned(),
                    signed_by: Some(keyring.ok_or(NoMirror::NoKeyring)?.to_owned()),
                })
            }
            _ => Mirror::configured(Path::new("/etc/apt")),
        }
    }

    /// The Debian mirror among the sources below `etc` (laid out as `/etc/apt`).
    ///
    /// # Errors
    /// When no source there names a Debian suite with the component `main`.
    pub fn configured(etc: &Path) -> Result<Mirror, NoMirror> {
        let mut files = vec![etc.join("sources.list")];
        if let Ok(entries) = etc.join("sources.list.d").read_dir() {
            files.extend(entries.flatten().map(|entry| entry.path()));
        }
        files.sort();
        let candidates = files.iter().flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            match file.extension().and_then(|e| e.to_str()) {
                Some("sources") => deb822(&text),
                Some("list") => one_line(&text),
                _ => Vec::new(),
            }
        });
        // Vendors name their suites `bookworm` or `stable` as well; Debian's own mirrors are
        // recognised by their keyring or by the path `debian` that the mirror network prescribes.
        candidates
            .max_by_key(Mirror::likeness)
            .filter(|best| best.likeness() > 0)
            .ok_or_else(|| NoMirror::NotConfigured(etc.to_owned()))
    }

    fn likeness(&self) -> u8 {
        let keyring = self.signed_by.as_deref().is_some_and(|keys| keys.contains("debian-archive"));
        let path = self.uri.split(['/', '.']).any(|part| part == "debian");
        u8::from(keyring) * 2 + u8::from(path)
    }
}

fn is_debian_main<'a>(
    mut suites: impl Iterator<Item = &'a str>,
    mut components: impl Iterator<Item = &'a str>,
) -> bool {
    suites.any(|suite| SUITES.contains(&suite)) && components.any(|name| name == "main")
}

/// The classic format: `deb [options] URI suite components`, one a line.
fn one_line(text: &str) -> Vec<Mirror> {
    text.lines().filter_map(one_line_entry).collect()
}

fn one_line_entry(line: &str) -> Option<Mirror> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(str::to_owned);
    is_debian_main(std::iter::once(suite), words).then(|| Mirror { uri: uri.to_owned(), signed_by })
}

/// The deb822 format: stanzas of `Field: value`, continued on indented lines.
fn deb822(text: &str) -> Vec<Mirror> {
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |all, line| all + line.trim_end() + "\n");
    text.split("\n\n").filter_map(stanza).collect()
}

fn stanza(text: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let mut lines = text
            .lines()
            .skip_while(|line| !line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name)));
        let first = lines.next()?.split_once(':')?.1.trim();
        let continued = lines.take_while(|line| line.starts_with([' ', '\t']));
        Some(continued.fold(first.to_owned(), |all, line| all + "\n" + line))
    };
    let [types, uris, suites, components] =
        ["Types", "URIs", "Suites", "Components"].map(|name| field(name).unwrap_or_default());
    let enabled = field("Enabled").is_none_or(|value| !value.eq_ignore_ascii_case("no"));
    let binary = types.split_whitespace().any(|kind| kind == "deb");
    (enabled && binary && is_debian_main(suites.split_whitespace(), components.split_whitespace())).then_some(())?;
    Some(Mirror { uri: uris.split_whitespace().next()?.to_owned(), signed_by: field("Signed-By") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(files: &[(&str, &str)]) -> Result<Mirror, NoMirror> {
        let etc = tempfile::tempdir().unwrap();
        std::fs::create_dir(etc.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(etc.path().join(name), text).unwrap();
        }
        Mirror::configured(etc.path())
    }

    #[test]
    fn a_deb822_source_gives_the_mirror_and_its_keys() {
        let text = "# comment\nTypes: deb deb-src\n# another\nURIs: mirror+file:/etc/apt/list\n\
                    Suites: trixie trixie-updates\nComponents: main\n\
                    Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
                    Types: deb\nURIs: http://m.test/debian-security\n\
                    Suites: trixie-security\nComponents: main\n";
        assert_eq!(
            configured(&[("sources.list.d/debian.sources", text)]),
            Ok(Mirror {
                uri: "mirror+file:/etc/apt/list".into(),
                signed_by: Some("/usr/share/keyrings/debian-archive-keyring.gpg".into()),
            })
        );
    }

    #[test]
    fn embedded_keys_are_carried_over_whole() {
        let text = "Types: deb\nURIs: http://m.test/debian\nSuites: sid\nComponents: main\n\
                    Signed-By:\n -----BEGIN\n .\n -----END\n";
        let keys = configured(&[("sources.list.d/a.sources", text)]).unwrap();
        assert_eq!(keys.signed_by.unwrap(), "\n -----BEGIN\n .\n -----END");
    }

    #[test]
    fn a_classic_line_gives_the_mirror() {
        let text = "#deb http://old.test/debian sid main\n\
                    deb-src http://m.test/debian bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://m.test/debian bookworm main # x\n";
        assert_eq!(
            configured(&[("sources.list", text)]),
            Ok(Mirror { uri: "http://m.test/debian".into(), signed_by: Some("/k.gpg".into()) })
        );
    }

    #[test]
    fn vendors_with_debian_like_suites_are_passed_over() {
        let vendor = "deb [signed-by=/v.gpg] http://vendor.test/linux/deb stable main\n";
        let debian = "deb http://m.test/debian bookworm main\n";
        let found = configured(&[
            ("sources.list.d/a.list", vendor),
            ("sources.list.d/b.list", debian),
            ("sources.list.d/z.list", vendor),
        ]);
        assert_eq!(found.unwrap().uri, "http://m.test/debian");
        assert!(configured(&[("sources.list.d/a.list", vendor)]).is_err());
    }

    #[test]
    fn ubuntu_has_no_debian_mirror_and_the_error_says_what_to_set() {
        let text = "Types: deb\nURIs: http://u.test/ubuntu\nSuites: noble\nComponents: main\n";
        let error = configured(&[("sources.list.d/ubuntu.sources", text)]).unwrap_err();
        assert!(error.to_string().contains("RMCP_DEBIAN_MIRROR"));
    }

    #[test]
    fn a_disabled_source_is_not_used() {
        let text = "Enabled: no\nTypes: deb\nURIs: http://m.test/debian\nSuites: sid\n\
                    Components: main\n";
        assert!(configured(&[("sources.list.d/a.sources", text)]).is_err());
    }
}
