//! Where variables that GPU programs look at are set: the files of shells, of sessions and of services.
//!
//! The files are read as text. What a shell would compute, and what stands behind a condition, is taken as it is written.

use super::{Fact, Facts};
use crate::commands::detect::{Survey, is_gpu_variable};
use crate::installs::{Machine, folder_entries};
use crate::recipes::{OVERRIDE, pattern_matches};
use rmcp_domain::topology::Override;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a file sets variables.
#[derive(Clone, Copy)]
enum Form {
    /// `export NAME=value`, also behind other words, as shells take it; `NAME=value` as a line.
    Shell,
    /// `set -gx NAME value`.
    Fish,
    /// `Environment=NAME=value` of a unit.
    Unit,
}

/// The files, `*` at a name's start or end standing for any; ~ is the user's home, and . the folder of the program.
/// (environment.d(5), systemd.unit(5), pam_env(8), bash(1), zsh(1), fish(1))
const FILES: &[(&str, Form)] = &[
    ("/etc/environment", Form::Shell),
    ("/etc/security/pam_env.conf", Form::Shell),
    ("/etc/profile", Form::Shell),
    ("/etc/profile.d/*.sh", Form::Shell),
    ("/etc/bash.bashrc", Form::Shell),
    ("/etc/bashrc", Form::Shell),
    ("/etc/zshenv", Form::Shell),
    ("/etc/zshrc", Form::Shell),
    ("/etc/zsh/*", Form::Shell),
    ("/etc/environment.d/*.conf", Form::Shell),
    ("/usr/lib/environment.d/*.conf", Form::Shell),
    ("/etc/systemd/system/*.service", Form::Unit),
    ("/etc/systemd/system/*.service.d/*.conf", Form::Unit),
    ("/etc/systemd/user/*.service", Form::Unit),
    ("~/.profile", Form::Shell),
    ("~/.bash_profile", Form::Shell),
    ("~/.bash_login", Form::Shell),
    ("~/.bashrc", Form::Shell),
    ("~/.bash_aliases", Form::Shell),
    ("~/.xprofile", Form::Shell),
    ("~/.zshenv", Form::Shell),
    ("~/.zprofile", Form::Shell),
    ("~/.zshrc", Form::Shell),
    ("~/.config/fish/config.fish", Form::Fish),
    ("~/.config/fish/conf.d/*.fish", Form::Fish),
    ("~/.config/environment.d/*.conf", Form::Shell),
    ("~/.config/systemd/user/*.service", Form::Unit),
    ("~/.config/systemd/user/*.service.d/*.conf", Form::Unit),
    ("./.env", Form::Shell),
];

impl Facts {
    /// What files set, and where what is set comes from.
    pub(super) fn add_configured(&mut self, survey: &Survey) {
        let mut set: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (pattern, form) in FILES {
            for file in files(pattern, &survey.machine, &survey.folder) {
                let Some(text) = survey.machine.text(&file) else { continue };
                for (number, line) in text.lines().enumerate() {
                    for (name, value) in assignments(line, *form) {
                        let place = format!("{}, line {}", survey.display_path(&file), number + 1);
                        set.entry(name).or_default().push((value, place));
                    }
                }
            }
        }
        let unreadable = set.get(OVERRIDE).into_iter().flatten().find(|(value, _)| Override::parse(value).is_none());
        let from = unreadable.map_or("the files that set variables", |(_, place)| place);
        self.add("override.configured_readable", Fact::flag(unreadable.is_none(), from));
        for (name, values) in set {
            let (values, places): (Vec<_>, Vec<_>) = values.into_iter().unzip();
            self.add(format!("configured.{name}"), Fact { values, from: places.join("; ") });
        }
    }

    /// Names the files that set what the environment has.
    pub(super) fn trace_environment(&mut self) {
        let configured: Vec<(String, Fact)> = self
            .machine
            .iter()
            .filter_map(|(name, fact)| Some((name.strip_prefix("configured.")?.to_owned(), fact.clone())))
            .collect();
        for (name, configured) in configured {
            let named = format!("env.{name}");
            let other = (name == OVERRIDE).then_some("override.value");
            for fact in [Some(named.as_str()), other].into_iter().flatten() {
                let Some(fact) = self.machine.get_mut(fact) else { continue };
                if fact.values.iter().any(|value| configured.values.contains(value)) {
                    fact.from = format!("{}, as set in {}", fact.from, configured.from);
                }
            }
        }
    }
}

/// The files of a pattern.
fn files(pattern: &str, machine: &Machine, folder: &Path) -> Vec<PathBuf> {
    let home = machine.variable("HOME").map(PathBuf::from);
    let (start, rest) = match pattern.split_once('/') {
        Some(("~", rest)) => match home {
            Some(home) => (machine.resolve(home), rest),
            None => return Vec::new(),
        },
        Some((".", rest)) => (folder.to_owned(), rest),
        _ => (machine.root.clone(), pattern.trim_start_matches('/')),
    };
    let mut found = vec![start];
    for part in rest.split('/') {
        found = if part.contains('*') {
            let fits =
                |path: &PathBuf| path.file_name().is_some_and(|name| pattern_matches(part, &name.to_string_lossy()));
            found.iter().flat_map(|folder| folder_entries(folder)).filter(fits).collect()
        } else {
            found.into_iter().map(|folder| folder.join(part)).collect()
        };
    }
    found.retain(|file| file.is_file());
    found
}

/// The variables that matter which a line sets.
fn assignments(line: &str, form: Form) -> Vec<(String, String)> {
    let line = line.trim();
    if line.starts_with('#') || line.starts_with(';') {
        return Vec::new();
    }
    // A line that is no text of a shell, such as one with a lone quote, sets nothing that could be told.
    let words = |text: &str| shlex::split(text).unwrap_or_default();
    let pairs: Vec<(String, String)> = match form {
        Form::Fish => match words(line).as_slice() {
            [set, options @ .., name, value]
                if set == "set" && options.iter().any(|word| word.starts_with('-') && word.contains('x')) =>
            {
                vec![(name.clone(), value.clone())]
            }
            _ => Vec::new(),
        },
        Form::Unit => {
            let text = line.strip_prefix("Environment=").unwrap_or_default();
            words(text).iter().filter_map(|word| pair(word)).collect()
        }
        Form::Shell => words(line)
            .iter()
            .skip_while(|word| *word == "export")
            .map_while(|word| pair(word.trim_end_matches(';')))
            .collect(),
    };
    pairs.into_iter().filter(|(name, _)| is_gpu_variable(name)).collect()
}

/// NAME=value.
fn pair(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_sets_variables_in_its_own_way_and_other_lines_set_none() {
        let set = |line: &str, form| {
            let pairs = assignments(line, form);
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        for (line, form, expected) in [
            ("export HSA_OVERRIDE_GFX_VERSION=10.3.0", Form::Shell, "HSA_OVERRIDE_GFX_VERSION=10.3.0"),
            (
                "  export HSA_OVERRIDE_GFX_VERSION=\"10.3.0\" # for the card",
                Form::Shell,
                "HSA_OVERRIDE_GFX_VERSION=10.3.0",
            ),
            ("HIP_VISIBLE_DEVICES=0 ROCM_PATH='/opt/rocm'", Form::Shell, "HIP_VISIBLE_DEVICES=0 ROCM_PATH=/opt/rocm"),
            ("export HSA_OVERRIDE_GFX_VERSION=", Form::Shell, "HSA_OVERRIDE_GFX_VERSION="),
            ("# export HSA_OVERRIDE_GFX_VERSION=10.3.0", Form::Shell, ""),
            ("echo HSA_OVERRIDE_GFX_VERSION=10.3.0", Form::Shell, ""),
            ("alias x='HSA_OVERRIDE_GFX_VERSION=10.3.0 y'", Form::Shell, ""),
            ("export EDITOR=vi", Form::Shell, ""),
            ("export AMD_ACCESS_TOKEN=x", Form::Shell, ""),
            ("it's HSA_XNACK=1", Form::Shell, ""),
            ("set -gx HSA_XNACK 1", Form::Fish, "HSA_XNACK=1"),
            ("set -g HSA_XNACK 1", Form::Fish, ""),
            ("Environment=HSA_XNACK=1 \"HIP_VISIBLE_DEVICES=0,1\"", Form::Unit, "HSA_XNACK=1 HIP_VISIBLE_DEVICES=0,1"),
            ("ExecStart=HSA_XNACK=1", Form::Unit, ""),
        ] {
            assert_eq!(set(line, form), expected, "{line}");
        }
    }
}
