//! What can be changed about a problem without asking its user anything.

use super::placeholder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names with their values.
type Settings = BTreeMap<String, String>;

/// One change, as `[[problem.change]]` writes it. Its texts may have facts in braces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Variables of what the user starts.
    Environment {
        /// To be set.
        #[serde(default)]
        set: Settings,
        /// To be taken out of the files that set them.
        #[serde(default)]
        unset: Vec<String>,
    },
    /// Options of RMCP.
    RmcpOption {
        /// To be set.
        set: Settings,
    },
    /// Options of a module of the kernel.
    ModuleOption {
        /// The module.
        module: String,
        /// To be set.
        #[serde(default)]
        set: Settings,
        /// To be taken out of the files that set them.
        #[serde(default)]
        unset: Vec<String>,
    },
    /// Words of the kernel's command line.
    KernelParameter {
        /// To be set.
        #[serde(default)]
        set: Settings,
        /// To be removed.
        #[serde(default)]
        unset: Vec<String>,
    },
    /// Groups of the user.
    Group {
        /// Those to join.
        join: Vec<String>,
    },
    /// A rule for device files.
    UdevRule {
        /// The rule's line.
        rule: String,
    },
    /// The flag of a library that asks for an executable stack.
    ExecutableStack {
        /// The libraries in which it is cleared.
        clear: Vec<String>,
    },
    /// Links between files.
    Links {
        /// Those to be removed.
        remove: Vec<String>,
    },
}

impl Change {
    /// With facts in place of their names; None where one of them is not known.
    ///
    /// An entry of a list that is a fact alone stands for all values of that.
    pub fn filled(&self, values: impl Fn(&str) -> Option<Vec<String>>) -> Option<Self> {
        let text = |text: &String| placeholder::fill_all(text, &values).map(|values| values.join(","));
        let list = |list: &Vec<String>| -> Option<Vec<String>> {
            Some(list.iter().map(|text| placeholder::fill_all(text, &values)).collect::<Option<Vec<_>>>()?.concat())
        };
        let settings = |settings: &Settings| -> Option<Settings> {
            settings.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        };
        Some(match self {
            Self::Environment { set, unset } => Self::Environment { set: settings(set)?, unset: list(unset)? },
            Self::RmcpOption { set } => Self::RmcpOption { set: settings(set)? },
            Self::ModuleOption { module, set, unset } => {
                Self::ModuleOption { module: module.clone(), set: settings(set)?, unset: list(unset)? }
            }
            Self::KernelParameter { set, unset } => Self::KernelParameter { set: settings(set)?, unset: list(unset)? },
            Self::Group { join } => Self::Group { join: list(join)? },
            Self::UdevRule { rule } => Self::UdevRule { rule: text(rule)? },
            Self::ExecutableStack { clear } => Self::ExecutableStack { clear: list(clear)? },
            Self::Links { remove } => Self::Links { remove: list(remove)? },
        })
    }

    /// All its texts.
    pub(super) fn texts(&self) -> Vec<&String> {
        match self {
            Self::Environment { set, unset }
            | Self::ModuleOption { set, unset, .. }
            | Self::KernelParameter { set, unset } => set.iter().flat_map(|(k, v)| [k, v]).chain(unset).collect(),
            Self::RmcpOption { set } => set.iter().flat_map(|(name, value)| [name, value]).collect(),
            Self::Group { join: list } | Self::ExecutableStack { clear: list } | Self::Links { remove: list } => {
                list.iter().collect()
            }
            Self::UdevRule { rule } => vec![rule],
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        let both = |settings: &Settings, unset: &[String]| {
            let set: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let part =
                |verb: &str, names: &[String]| (!names.is_empty()).then(|| format!("{verb} {}", names.join(" ")));
            part("sets", &set).into_iter().chain(part("removes", unset)).collect::<Vec<_>>().join(" and ")
        };
        match self {
            Self::Environment { set, unset } => format!("{} in the user's environment", both(set, unset)),
            Self::RmcpOption { set } => format!("{} in rmcp.toml", both(set, &[])),
            Self::ModuleOption { module, set, unset } => {
                format!("{} among the options of the module {module}", both(set, unset))
            }
            Self::KernelParameter { set, unset } => format!("{} on the kernel's command line", both(set, unset)),
            Self::Group { join } => format!("joins the group {}", join.join(", ")),
            Self::UdevRule { rule } => format!("adds the udev rule {rule}"),
            Self::ExecutableStack { clear } => format!("clears the executable-stack flag of {}", clear.join(", ")),
            Self::Links { remove } => format!("removes the links {}", remove.join(", ")),
        }
    }
}
