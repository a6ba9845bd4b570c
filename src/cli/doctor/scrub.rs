//! Taking out of a text what tells who somebody is, or opens something.

use crate::commands::detect::Survey;
use rmcp_domain::bounded_read::read_text;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a report may not hold of this machine.
pub struct Scrubber {
    /// Texts, and what stands in their place: the longest first.
    known: Vec<(String, &'static str)>,
}

/// How tokens of well-known services begin.
const TOKENS: &[&str] =
    &["hf_", "ghp_", "gho_", "github_pat_", "glpat-", "sk-", "AKIA", "xoxb-", "xoxp-", "eyJ", "pypi-"];
/// Words in the name of a setting that holds a secret.
const SECRETS: &[&str] = &["TOKEN", "SECRET", "PASSW", "APIKEY", "API_KEY", "ACCESS_KEY", "CREDENTIAL", "AUTH"];
/// A word of letters and digits that is longer is no word.
const LONGEST_WORD: usize = 24;

impl Scrubber {
    /// With the names of this machine, its user and the user's folders.
    pub fn new(survey: &Survey) -> Self {
        let variable = |name: &str| survey.machine.variable(name).map(|value| value.to_string_lossy().into_owned());
        let host = read_text(&survey.machine.resolve("/proc/sys/kernel/hostname"), 4096).ok();
        let users =
            ["USER", "LOGNAME", "SUDO_USER"].map(variable).into_iter().flatten().chain(survey.account.name.clone());
        let mut known: Vec<(String, &'static str)> = users.map(|user| (user, "USER")).collect();
        known.extend(variable("HOME").map(|home| (home.trim_end_matches('/').to_owned(), "/home/USER")));
        known.extend(host.map(|host| (host.trim().to_owned(), "HOST")));
        // What every machine has is no name; one letter would be found everywhere.
        known.retain(|(text, _)| text.len() > 1 && !["root", "/root", "localhost", "(none)"].contains(&text.as_str()));
        known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { known }
    }

    /// The text without them.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (known, name) in &self.known {
            text = replace_word(&text, known, name);
        }
        let mut out = String::with_capacity(text.len());
        let separates = |c: char| c.is_whitespace() || "\"'`()[]{}<>,;|".contains(c);
        // Behind `TOKEN="` the next word is the secret.
        let mut is_secret = false;
        for piece in text.split_inclusive(separates) {
            let word = piece.trim_end_matches(separates);
            let quoted = is_secret && !word.is_empty();
            out.push_str(&if quoted { "SECRET".into() } else { scrub_word(word) });
            out.push_str(&piece[word.len()..]);
            is_secret = if word.is_empty() { is_secret } else { word.strip_suffix('=').is_some_and(names_secret) };
        }
        out
    }
}

/// Replaces a text where it is no part of a longer word.
fn replace_word(text: &str, known: &str, name: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(known) {
        let end = at + known.len();
        let part =
            is_part(rest[..at].chars().next_back().or(out.chars().next_back())) || is_part(rest[end..].chars().next());
        out.push_str(&rest[..at]);
        out.push_str(if part { known } else { name });
        rest = &rest[end..];
    }
    out + rest
}

fn scrub_word(word: &str) -> String {
    if let Some((name, value)) = word.split_once('=') {
        let secret = names_secret(name) && !value.is_empty();
        return format!("{name}={}", if secret { "SECRET".into() } else { scrub_word(value) });
    }
    let bare = word.trim_matches(|c: char| ".:/".contains(c));
    let (host, port) = bare.split_once(':').unwrap_or((bare, ""));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let is_ipv4 = is_port && host.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_loopback());
    let is_other = || bare.parse::<Ipv6Addr>().is_ok() || is_hardware_address(bare);
    let replaced = if is_ipv4 || (bare.matches(':').count() > 1 && is_other()) {
        "ADDRESS"
    } else if bare.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.')) {
        "ACCOUNT"
    } else if bare
        .strip_prefix("GPU-")
        .is_some_and(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        "GPU-SERIAL"
    } else if TOKENS.iter().any(|token| bare.strip_prefix(token).is_some_and(|rest| rest.len() >= 12))
        || is_random(bare)
    {
        "SECRET"
    } else if let Some((folder, rest)) = home_of_another(word) {
        return format!("{folder}USER{rest}");
    } else {
        return word.to_owned();
    };
    word.replacen(bare, replaced, 1)
}

fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRETS.iter().any(|part| name.contains(part))
}

/// 00:1a:2b:3c:4d:5e.
fn is_hardware_address(word: &str) -> bool {
    let pairs: Vec<&str> = word.split(':').collect();
    pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a word is letters and digits without sense.
fn is_random(word: &str) -> bool {
    let mut runs = word.split(|c: char| !c.is_ascii_alphanumeric());
    runs.any(|run| {
        let has = |kind: fn(&u8) -> bool| run.bytes().any(|byte| kind(&byte));
        run.len() > LONGEST_WORD && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    })
}

/// A path in somebody's home: what stands before the name and behind it.
fn home_of_another(word: &str) -> Option<(&str, &str)> {
    let at = word.find("/home/")? + "/home/".len();
    let (before, path) = word.split_at(at);
    let end = path.find('/').unwrap_or(path.len());
    Some((before, &path[end..])).filter(|_| end > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_secrets_are_taken_out_and_the_rest_stays() {
        let known = vec![("/home/alice", "/home/USER"), ("alice", "USER"), ("tower", "HOST")];
        let scrubber = Scrubber { known: known.into_iter().map(|(text, name)| (text.to_owned(), name)).collect() };
        for (text, expected) in [
            ("alice@tower:~$ python /home/alice/train.py", "USER@HOST:~$ python /home/USER/train.py"),
            ("malice towering alice2", "malice towering alice2"),
            ("/home/bob/x.py: line 3", "/home/USER/x.py: line 3"),
            ("connect 192.168.1.7:8080, fe80::1a2b:3c4d", "connect ADDRESS, ADDRESS"),
            ("eth0 00:1a:2b:3c:4d:5e up", "eth0 ADDRESS up"),
            ("127.0.0.1:6006 and 0000:03:00.0", "127.0.0.1:6006 and 0000:03:00.0"),
            ("mail bob@example.org", "mail ACCOUNT"),
            ("GPU-1122334455667788 gfx1010", "GPU-SERIAL gfx1010"),
            ("HF_TOKEN=abc WANDB_API_KEY=\"x\"", "HF_TOKEN=SECRET WANDB_API_KEY=\"SECRET\""),
            ("login hf_AbCdEfGhIjKlMnOp", "login SECRET"),
            ("key 0123456789abcdef0123456789abcdef012345678", "key SECRET"),
            (
                "Memory access fault by GPU node-1 on address 0x7f00aabbccdd.",
                "Memory access fault by GPU node-1 on address 0x7f00aabbccdd.",
            ),
            (
                "TensileLibrary_Type_SS_Contraction_l_Ailk_Bjlk_gfx1010.co",
                "TensileLibrary_Type_SS_Contraction_l_Ailk_Bjlk_gfx1010.co",
            ),
        ] {
            assert_eq!(scrubber.scrub(text), expected);
        }
    }
}
