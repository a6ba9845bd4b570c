//! The values that options take.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A value as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawValue {
    /// One word, number or text.
    Text(String),
    /// A list, from a TOML array.
    List(Vec<String>),
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of some words.
    Word(&'static [Choice]),
    /// A part of a whole.
    Fraction,
    /// A path.
    Path,
    /// A list of texts: an array in a file, separated by colons in the environment.
    List,
}

/// One word that an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it selects, one sentence.
    pub what: &'static str,
}

/// A type that an option can have.
pub(super) trait Value: Sized {
    const KIND: Kind;
    /// None when `raw` is no such value.
    fn read(raw: &RawValue) -> Option<Self>;
    /// As it would be written in the TOML file.
    fn toml(&self) -> String;
}

/// Enums whose variants are words. The doc comments of the variants reach the docs page through [`Choice`].
macro_rules! words {
    ($( $(#[doc = $doc:literal])* $name:ident { $( $(#[doc = $what:literal])* $variant:ident = $word:literal, )* } )*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[doc = $what])* $variant, )* }

        impl $name {
            /// The word that selects this value.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl Value for $name {
            const KIND: Kind = Kind::Word(&[$( Choice { word: $word, what: concat!($($what),*).trim_ascii() }, )*]);

            fn read(raw: &RawValue) -> Option<Self> {
                match raw {
                    RawValue::Text(text) => match text.as_str() { $( $word => Some(Self::$variant), )* _ => None },
                    RawValue::List(_) => None,
                }
            }

            fn toml(&self) -> String {
                quoted(self.word())
            }
        }
    )* };
}

words! {
    /// The option `policy`.
    Mode {
        /// Rewrite as the other options say.
        Auto = "auto",
        /// Forward every call unchanged.
        Keep = "keep",
    }

    /// The option `host`.
    Host {
        /// Leave the flags alone.
        Keep = "keep",
        /// Make memory coarse-grained whose flags ask for no explicit Coherent, NonCoherent or Uncached.
        Noncoherent = "noncoherent",
        /// As `noncoherent`, but leave memory alone that is asked for as Mapped.
        Unmapped = "unmapped",
        /// As `noncoherent`, and replace an explicit Coherent too.
        Force = "force",
    }

    /// The option `managed`.
    Managed {
        /// Leave managed memory alone.
        Keep = "keep",
        /// Advise SetCoarseGrain on the range once it is allocated.
        Coarse = "coarse",
        /// Turn the flag hipMemAttachGlobal into hipMemAttachHost.
        AttachHost = "attach-host",
    }

    /// The option `register`.
    Register {
        /// Leave registered memory coherent.
        Keep = "keep",
        /// Take the coarse-grained pool for it; needs `AMD_OPT_FLUSH=0`.
        Coarse = "coarse",
    }

    /// The option `device_finegrained`.
    DeviceFinegrained {
        /// Ask for default memory where the runtime would refuse fine-grained memory.
        Auto = "auto",
        /// Leave the flag alone.
        Keep = "keep",
    }

    /// The option `device_uncached`.
    DeviceUncached {
        /// Leave the flags alone.
        Keep = "keep",
        /// Ask for default memory instead of Uncached or Contiguous.
        Default = "default",
    }

    /// The option `hsa_pool`.
    HsaPool {
        /// Leave the pool alone.
        Keep = "keep",
        /// Take the coarse-grained pool of the same agent instead of its fine-grained one.
        Coarse = "coarse",
    }

    /// The option `event_fence`.
    EventFence {
        /// Keep the system-scope release wherever memory can be made non-coherent.
        System = "system",
        /// Leave the flags alone.
        Keep = "keep",
    }

    /// The option `capabilities`.
    Capabilities {
        /// Leave the answers alone.
        Real = "real",
        /// Say that the device has no managed memory and no access to pageable memory.
        NoManaged = "no-managed",
    }

    /// The option `dispatch_table`.
    DispatchTable {
        /// Leave libamdhip64's own table of functions alone.
        Off = "off",
        /// Put the hooks into it, from ROCm 6 on.
        On = "on",
    }

    /// The option `save_area`.
    SaveArea {
        /// Show the kernel's number of waves to a runtime that is known to need it.
        Auto = "auto",
        /// Show it to every runtime.
        On = "on",
        /// Leave the topology as it is.
        Off = "off",
    }

    /// The option `apu`.
    Apu {
        /// Forward every call of an APU unchanged.
        Keep = "keep",
        /// Treat a gfx10 APU like a card.
        Patch = "patch",
    }

    /// The option `callers`.
    Callers {
        /// For libraries that are known to be right with it, and in programs that a file of options names.
        Known = "known",
        /// For all but libraries that are known to need coherent memory.
        All = "all",
    }

    /// The option `log`.
    Level {
        /// Nothing.
        Off = "off",
        /// What stops RMCP from working.
        Error = "error",
        /// And what is wrong with the configuration or the machine.
        Warn = "warn",
        /// And one line on what was detected and which policy is active.
        Info = "info",
        /// And every rewrite, with call, size, flags before and after, and reason.
        Debug = "debug",
        /// And every hooked call.
        Trace = "trace",
    }
}

/// A part of a whole: above 0, at most 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fraction(u32);

impl Fraction {
    /// All of it.
    pub const ALL: Self = Self(Self::PARTS);

    const PARTS: u32 = 1_000_000;

    /// So much of `whole`, rounded down.
    pub const fn of(self, whole: u64) -> u64 {
        (whole as u128 * self.0 as u128 / Self::PARTS as u128) as u64
    }

    const fn number(self) -> f64 {
        self.0 as f64 / Self::PARTS as f64
    }
}

/// As a number: 0.9, and 1.0 for all.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.number())
    }
}

/// A text that is no such number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {FRACTION}")]
pub struct NotAFraction(pub String);

pub(super) const FRACTION: &str = "a number above 0 and up to 1 with at most six decimals";

impl FromStr for Fraction {
    type Err = NotAFraction;

    fn from_str(text: &str) -> Result<Self, NotAFraction> {
        let number: f64 = text.trim().parse().unwrap_or_default();
        // The cast saturates, and makes 0 of NaN.
        let fraction = Self((number * f64::from(Self::PARTS)).round() as u32);
        // Division rounds as parsing does, so a number of up to six decimals comes back to the bit.
        let exact = fraction.number() == number;
        if exact && (Self(1)..=Self::ALL).contains(&fraction) { Ok(fraction) } else { Err(NotAFraction(text.into())) }
    }
}

impl Value for Fraction {
    const KIND: Kind = Kind::Fraction;

    fn read(raw: &RawValue) -> Option<Self> {
        match raw {
            RawValue::Text(text) => text.parse().ok(),
            RawValue::List(_) => None,
        }
    }

    fn toml(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    const KIND: Kind = Kind::Path;

    fn read(raw: &RawValue) -> Option<Self> {
        match raw {
            RawValue::Text(text) if !text.is_empty() => Some(text.into()),
            _ => None,
        }
    }

    fn toml(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

/// A path that may be empty: none.
impl Value for Option<PathBuf> {
    const KIND: Kind = Kind::Path;

    fn read(raw: &RawValue) -> Option<Self> {
        match raw {
            RawValue::Text(text) => Some((!text.is_empty()).then(|| text.into())),
            RawValue::List(_) => None,
        }
    }

    fn toml(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), Value::toml)
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn read(raw: &RawValue) -> Option<Self> {
        Some(match raw {
            RawValue::List(list) => list.clone(),
            RawValue::Text(text) => text.split(':').filter(|item| !item.is_empty()).map(String::from).collect(),
        })
    }

    fn toml(&self) -> String {
        format!("[{}]", self.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
    }
}

/// A TOML string. Debug escapes like TOML for all that a program name or a path holds.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
