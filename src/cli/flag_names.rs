//! The names of flags: what a user may write for them, and how they are shown.

use rmcp_abi::flags::*;
use rmcp_abi::{Hook, Policy};
use rmcp_domain::options::did_you_mean;

/// The values that one argument of a call takes. (hip_runtime_api.h)
#[derive(Debug, PartialEq, Eq)]
pub struct FlagNames {
    /// What the names begin with in C, by which a user may write them too.
    prefixes: &'static [&'static str],
    /// The names without that, each with its value.
    names: &'static [(&'static str, u32)],
    /// Whether they are flags of the call, and not something else that decides.
    pub is_flags: bool,
    /// Whether values are combined by `|`.
    combinable: bool,
    /// What a call means that is written without the argument. None: it must be written.
    pub default: Option<u32>,
}

const HOST: FlagNames = FlagNames {
    prefixes: &["hipHostMalloc", "hipHostAlloc", "hipExtHostAlloc"],
    names: &[
        ("Default", 0),
        ("Portable", HOST_PORTABLE),
        ("Mapped", HOST_MAPPED),
        ("WriteCombined", HOST_WRITE_COMBINED),
        ("Uncached", HOST_UNCACHED),
        ("NumaUser", HOST_NUMA_USER),
        ("Coherent", HOST_COHERENT),
        ("NonCoherent", HOST_NON_COHERENT),
    ],
    is_flags: true,
    combinable: true,
    default: Some(0),
};

const REGISTER: FlagNames = FlagNames {
    prefixes: &["hipHostRegister", "hipExtHostRegister"],
    names: &[("Default", 0), ("Portable", 1), ("Mapped", 2), ("IoMemory", 4), ("CoarseGrained", 8)],
    is_flags: true,
    combinable: true,
    default: Some(0),
};

const DEVICE: FlagNames = FlagNames {
    prefixes: &["hipDeviceMalloc", "hipMalloc"],
    names: &[
        ("Default", DEVICE_DEFAULT),
        ("Finegrained", DEVICE_FINEGRAINED),
        ("SignalMemory", DEVICE_SIGNAL),
        ("Uncached", DEVICE_UNCACHED),
        ("Contiguous", DEVICE_CONTIGUOUS),
    ],
    is_flags: true,
    combinable: false,
    default: Some(DEVICE_DEFAULT),
};

const ATTACH: FlagNames = FlagNames {
    prefixes: &["hipMemAttach"],
    names: &[("Global", ATTACH_GLOBAL), ("Host", ATTACH_HOST), ("Single", 4)],
    is_flags: true,
    combinable: false,
    // As the header's default argument.
    default: Some(ATTACH_GLOBAL),
};

const EVENT: FlagNames = FlagNames {
    prefixes: &["hipEvent"],
    names: &[
        ("Default", 0),
        ("BlockingSync", 1),
        ("DisableTiming", 2),
        ("Interprocess", 4),
        ("DisableSystemFence", EVENT_DISABLE_SYSTEM_FENCE),
        ("ReleaseToDevice", EVENT_RELEASE_TO_DEVICE),
        ("ReleaseToSystem", EVENT_RELEASE_TO_SYSTEM),
    ],
    is_flags: true,
    combinable: true,
    default: Some(0),
};

const ATTRIBUTE: FlagNames = FlagNames {
    prefixes: &["hipDeviceAttribute"],
    names: &{
        let mut names = [("", 0); MANAGED_CAPABILITIES.len()];
        let mut index = 0;
        while index < names.len() {
            names[index] = (MANAGED_CAPABILITIES[index].name, MANAGED_CAPABILITIES[index].attribute as u32);
            index += 1;
        }
        names
    },
    is_flags: false,
    combinable: false,
    default: None,
};

/// Not flags, but what decides: the kind of the pool that the call names.
const POOL: FlagNames = FlagNames {
    prefixes: &[],
    names: &[("coarse", POOL_COARSE), ("fine", POOL_FINE), ("kernarg", POOL_KERNARG)],
    is_flags: false,
    combinable: false,
    default: Some(POOL_FINE),
};

/// A coarse-grained pool.
pub const POOL_COARSE: u32 = 0;
/// A fine-grained pool.
pub const POOL_FINE: u32 = 1;
/// The pool for kernel arguments, which is fine-grained too.
pub const POOL_KERNARG: u32 = 2;

/// Numbers alone.
const NUMERIC: FlagNames = FlagNames { prefixes: &[], names: &[], is_flags: true, combinable: true, default: Some(0) };

impl FlagNames {
    /// What the call takes; None where it takes nothing of the kind.
    pub fn for_hook(hook: Hook) -> Option<&'static Self> {
        Some(match (hook, hook.policy()) {
            (Hook::hipHostRegister, _) => &REGISTER,
            (_, Policy::host | Policy::host_alloc) => &HOST,
            (_, Policy::ext_malloc) => &DEVICE,
            (_, Policy::managed) => &ATTACH,
            (_, Policy::event_create) => &EVENT,
            (_, Policy::device_attribute) => &ATTRIBUTE,
            (_, Policy::pool_allocate | Policy::lock_to_pool) => &POOL,
            _ if hook.info().signature.contains("flags: u") => &NUMERIC,
            _ => return None,
        })
    }

    /// The value of words such as `hipHostMallocMapped|Portable`, `Mapped Portable` or `0x3`.
    pub fn parse(&self, words: &[String]) -> Result<Option<u32>, String> {
        let parts: Vec<&str> = words
            .iter()
            .flat_map(|word| word.split(['|', ',', '+']))
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .collect();
        if parts.len() > 1 && !self.combinable {
            return Err(format!("these values cannot be combined; name one of {}", self.name_list()));
        }
        let values: Vec<u32> = parts.into_iter().map(|part| self.value(part)).collect::<Result<_, _>>()?;
        Ok(values.into_iter().reduce(|all, value| all | value).or(self.default))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        if let Some(number) = parse_number(text) {
            return Ok(number);
        }
        let bare = self.prefixes.iter().find_map(|prefix| strip_prefix_ignoring_case(text, prefix));
        let bare = bare.filter(|bare| !bare.is_empty()).unwrap_or(text);
        let known = self.names.iter().find(|(name, _)| name.eq_ignore_ascii_case(bare));
        known.map(|(_, value)| *value).ok_or_else(|| {
            let hint = did_you_mean(bare, self.names.iter().map(|(name, _)| *name));
            match self.names {
                [] => format!("{text:?} is no number, and these flags have no names here"),
                _ => format!("there is no {text:?} here{hint}; give a number, or of {}", self.name_list()),
            }
        })
    }

    /// A value to show how it is written.
    pub fn example(&self) -> &'static str {
        self.names.first().map_or("0", |(name, _)| name)
    }

    fn name_list(&self) -> String {
        self.names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// "Mapped|Portable", "0" for nothing, with a number for what has no name.
    pub fn format(&self, value: u32) -> String {
        if let Some((name, _)) = self.names.iter().find(|(_, known)| *known == value) {
            return (*name).into();
        }
        if !self.combinable || value == 0 {
            return value.to_string();
        }
        let known = self.names.iter().filter(|(_, bit)| *bit != 0 && value & bit == *bit);
        let mut shown: Vec<String> = known.map(|(name, _)| (*name).into()).collect();
        let rest = self.unnamed_bits(value);
        if rest != 0 {
            shown.push(format!("{rest:#x}"));
        }
        shown.join("|")
    }

    /// The bits of a value that have no name.
    pub fn unnamed_bits(&self, value: u32) -> u32 {
        self.names.iter().fold(value, |rest, (_, bit)| rest & !bit)
    }
}

/// A number as in C: 2, 0x2.
fn parse_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(vocabulary: &FlagNames, text: &str) -> Result<Option<u32>, String> {
        vocabulary.parse(&text.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_named_as_in_c_or_shorter_or_by_number() {
        for text in
            ["hipHostMallocMapped|hipHostMallocPortable", "Mapped|Portable", "mapped portable", "0x3", "3", "2|1"]
        {
            assert_eq!(parsed(&HOST, text), Ok(Some(HOST_MAPPED | HOST_PORTABLE)), "{text}");
        }
        assert_eq!(parsed(&HOST, "hipHostAllocMapped"), Ok(Some(2)));
        assert_eq!(parsed(&DEVICE, "hipMallocSignalMemory"), Ok(Some(DEVICE_SIGNAL)));
        assert_eq!(parsed(&ATTRIBUTE, "hipDeviceAttributeManagedMemory"), Ok(Some(24)));
    }

    #[test]
    fn every_name_reads_back_in_every_vocabulary() {
        for vocabulary in Hook::ALL.iter().filter_map(|hook| FlagNames::for_hook(*hook)) {
            for (name, value) in vocabulary.names {
                assert_eq!(parsed(vocabulary, name), Ok(Some(*value)), "{name}");
                assert_eq!(parsed(vocabulary, &vocabulary.format(*value)), Ok(Some(*value)), "{name}");
                for prefix in vocabulary.prefixes {
                    assert_eq!(parsed(vocabulary, &format!("{prefix}{name}")), Ok(Some(*value)), "{prefix}{name}");
                }
            }
        }
    }

    #[test]
    fn a_combination_is_shown_by_names_and_the_rest_by_number() {
        assert_eq!(HOST.format(0), "Default");
        assert_eq!(HOST.format(HOST_MAPPED | HOST_NON_COHERENT), "Mapped|NonCoherent");
        assert_eq!(HOST.format(HOST_MAPPED | 0x40), "Mapped|0x40");
        assert_eq!(DEVICE.format(9), "9");
        assert_eq!(NUMERIC.format(0), "0");
    }

    #[test]
    fn a_slip_of_the_pen_names_the_nearest() {
        assert!(parsed(&HOST, "hipHostMallocMaped").unwrap_err().contains("(did you mean Mapped?)"));
        assert!(parsed(&DEVICE, "Uncached|Finegrained").unwrap_err().contains("cannot be combined"));
    }
}
