//! The ROCm releases that Debian carries, and the packages that make up each.

use std::fmt;
use std::str::FromStr;

/// A ROCm release, named by the version of its HIP runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Release {
    /// HIP and ROCr 5.2.3, from bookworm.
    Rocm523,
    /// HIP 5.7.1 with ROCr 6.1.2, from trixie.
    Rocm571,
    /// HIP and ROCr 6.4.3, from sid.
    Rocm643,
    /// HIP and ROCr 7.2.4, from experimental.
    Rocm724,
}

impl Release {
    /// Every release, oldest first.
    pub const ALL: [Release; 4] = [Release::Rocm523, Release::Rocm571, Release::Rocm643, Release::Rocm724];

    /// The version of libamdhip64, which names the release: `"6.4.3"`.
    pub fn version(self) -> &'static str {
        match self {
            Release::Rocm523 => "5.2.3",
            Release::Rocm571 => "5.7.1",
            Release::Rocm643 => "6.4.3",
            Release::Rocm724 => "7.2.4",
        }
    }

    /// The Debian suite that carries it.
    pub fn suite(self) -> &'static str {
        match self {
            Release::Rocm523 => "bookworm",
            Release::Rocm571 => "trixie",
            Release::Rocm643 => "sid",
            Release::Rocm724 => "experimental",
        }
    }

    /// The suites apt needs for it: experimental is an addition to sid, not a whole system.
    pub(crate) fn suites(self) -> &'static str {
        match self {
            Release::Rocm724 => "sid experimental",
            _ => self.suite(),
        }
    }

    /// The package of the HIP runtime, named by its SONAME's version.
    pub(crate) fn runtime_package(self) -> &'static str {
        match self {
            Release::Rocm523 | Release::Rocm571 => "libamdhip64-5",
            Release::Rocm643 => "libamdhip64-6",
            Release::Rocm724 => "libamdhip64-7",
        }
    }

    /// Its own packages, with Debian's versions that were last tested.
    pub(crate) fn tested(self) -> [(&'static str, &'static str); 3] {
        let [hip, hsa, comgr] = match self {
            Release::Rocm523 => ["5.2.3-8", "5.2.3-3", "5.2.3-2"],
            Release::Rocm571 => ["5.7.1-6+deb13u1", "6.1.2-3", "6.0+git20231212.4510c28+dfsg-3+b2"],
            Release::Rocm643 => ["6.4.3-5", "6.4.3+dfsg-5", "7.0.2+dfsg-3"],
            Release::Rocm724 => ["7.2.4-1~exp2", "7.2.4+dfsg-1~exp1", "7.2.4+dfsg-1~exp1"],
        };
        let compiler = match self {
            Release::Rocm523 | Release::Rocm571 => "libamd-comgr2",
            Release::Rocm643 | Release::Rocm724 => "libamd-comgr3",
        };
        [(self.runtime_package(), hip), ("libhsa-runtime64-1", hsa), (compiler, comgr)]
    }

    /// The package of hiprtc, where that is no part of the HIP runtime.
    pub(crate) fn hiprtc_package(self) -> Option<&'static str> {
        match self {
            Release::Rocm724 => Some("libhiprtc7"),
            _ => None,
        }
    }
}

/// Installed with all they depend on, beside the HIP runtime itself.
pub(crate) const RUNTIME: [&str; 3] = ["libhsa-runtime64-1", "libstdc++6", "libgcc-s1"];

/// Taken alone: what they depend on (compilers, Python) serves neither headers nor `rocminfo`.
pub(crate) const ALONE: [&str; 3] = ["libamdhip64-dev", "libhsa-runtime-dev", "rocminfo"];

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Release::ALL.into_iter().find(|release| release.version() == name).ok_or_else(|| {
            let all = Release::ALL.map(Release::version).join(", ");
            format!("no ROCm release `{name}` here; known are {all}")
        })
    }
}
