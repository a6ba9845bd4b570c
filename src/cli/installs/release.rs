//! Releases of ROCm.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A release such as 6.4.3; of file names only the first two numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// 6 in 6.4.3.
    pub major: u32,
    /// 4 in 6.4.3.
    pub minor: u32,
    /// 3 in 6.4.3; None where it is not known.
    pub patch: Option<u32>,
}

/// A text that does not begin with two numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no ROCm release; one looks like 6.4.3")]
pub struct InvalidRelease(pub String);

impl Release {
    /// From the name of the real file of the HIP runtime. AMD's packages write the release into the third number, as in
    /// libamdhip64.so.6.2.60204 for 6.2.4; Debian's have a number of the build there, as in libamdhip64.so.6.4.43484.
    pub fn from_runtime(file: &Path) -> Option<Self> {
        let (_, numbers) = file.file_name()?.to_str()?.split_once(".so.")?;
        let release = Self::from_hip(numbers)?;
        let third: Option<u32> = numbers.split('.').nth(2).and_then(|number| number.parse().ok());
        let patch = third.filter(|number| number / 100 == release.major * 100 + release.minor);
        Some(Self { patch: patch.map(|number| number % 100), ..release })
    }

    /// From torch.version.hip and hipconfig's version, whose third number counts builds, as in "6.4.43483-a187df25c". None
    /// for HIP 7.3 and later, whose number is not ROCm's: HIP 7.16 belongs to ROCm 10.1.
    /// (<https://github.com/Comfy-Org/ComfyUI/issues/15878>)
    pub fn from_hip(text: &str) -> Option<Self> {
        let release = Self { patch: None, ..text.parse().ok()? };
        ((release.major, release.minor) <= (7, 2)).then_some(release)
    }
}

impl FromStr for Release {
    type Err = InvalidRelease;

    /// Reads "6.4.3", "6.4.3-127" and "7.2"; what follows the third number is passed over.
    fn from_str(text: &str) -> Result<Self, InvalidRelease> {
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), patch) => {
                Ok(Self { major, minor, patch: patch.and_then(Result::ok).filter(|&patch| patch < 1000) })
            }
            _ => Err(InvalidRelease(text.into())),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}
