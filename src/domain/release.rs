//! Releases of ROCm, and of Linux.

use crate::bounded_read::{read_after, read_text};
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// A version file has one line.
const FILE_LIMIT: u64 = 4096;
/// More than any libhsa-runtime64 has.
const LIBRARY_LIMIT: u64 = 256 << 20;
/// More than any folder of packages has.
const ENTRY_LIMIT: usize = 100_000;

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
    /// A release of which the third number says nothing.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor, patch: None }
    }

    /// That of the running kernel, as `uname -r` has it.
    pub fn of_kernel() -> Option<Self> {
        read_text(Path::new("/proc/sys/kernel/osrelease"), FILE_LIMIT).ok()?.parse().ok()
    }

    /// The release of ROCm that a file of libhsa-runtime64 belongs to: as its own build says, as `.info/version` of its prefix
    /// says, or as the wheel that brings it says, in this order.
    pub fn of_hsa_runtime(file: &Path) -> Option<Self> {
        let file = fs::canonicalize(file).ok()?;
        let prefix = file.parent().and_then(Path::parent);
        let written = || read_text(&prefix?.join(".info/version"), FILE_LIMIT).ok()?.parse().ok();
        Self::of_build(&file).or_else(written).or_else(|| Self::of_wheel(prefix?))
    }

    /// What the library says of its build, as in `ROCR BUILD ID: "1.13.0-compute-rocm-rel-5.7-63-4eb8f1f"`. Its middle is
    /// ROCM_BUILD_ID where AMD builds, "local-build" elsewhere. (rocr-runtime cmake_modules/utils.cmake)
    fn of_build(file: &Path) -> Option<Self> {
        let build = read_after(file, b"ROCR BUILD ID: \"", 200, LIBRARY_LIMIT).ok()??;
        let end = build.iter().position(|&byte| byte == b'"')?;
        let (_, release) = std::str::from_utf8(&build[..end]).ok()?.split_once("rocm-rel-")?;
        release.parse().ok().map(|release| Self { patch: None, ..release })
    }

    /// That of the wheel which put the folder among the packages. PyTorch's own version says it behind a plus.
    fn of_wheel(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?;
        let wheel = ["_rocm_sdk_core", "_rocm_sdk_devel", "torch"].into_iter().find(|part| name.starts_with(part))?;
        let wheel = format!("{}-", wheel.trim_start_matches('_'));
        let entries = fs::read_dir(folder.parent()?).ok()?.take(ENTRY_LIMIT).flatten();
        let mut versions = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix(&wheel)?.strip_suffix(".dist-info").map(str::to_owned)
        });
        let (version, None) = (versions.next()?, versions.next()) else { return None };
        match version.split_once("+rocm") {
            Some((_, rocm)) => rocm.parse().ok(),
            None if wheel == "torch-" => None,
            None => version.parse().ok(),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_a_version_file_and_a_wheel_tell_a_librarys_release_in_this_order() {
        let root = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let of = |build: &str| {
            let text = format!("\u{7f}ELF\0ROCR BUILD ID: {build}\0");
            let library = file("_rocm_sdk_core/lib/libhsa-runtime64.so.1", &text);
            Release::of_hsa_runtime(&library).map(|release| release.to_string())
        };
        let local = "\"1.18.0-local-build-unknown\"";
        assert_eq!(of(local), None);
        file("rocm_sdk_core-7.15.0a20260801.dist-info/METADATA", "");
        assert_eq!(of(local).as_deref(), Some("7.15.0"));
        file("_rocm_sdk_core/.info/version", "10.0.0-17\n");
        assert_eq!(of(local).as_deref(), Some("10.0.0"));
        assert_eq!(of("\"1.18.0-compute-rocm-rel-7.2-53-6a0f\"").as_deref(), Some("7.2"));
        for near in ["\"1.18.0-compute-rocm-rel-7\"", "\"1.18.0-compute-rocm-rel-7.2", "rocm-rel-7.2"] {
            assert_eq!(of(near).as_deref(), Some("10.0.0"), "{near}");
        }
    }

    #[test]
    fn what_two_wheels_or_a_number_of_another_kind_say_is_no_release() {
        let root = tempfile::tempdir().unwrap();
        let wheel = |name: &str| fs::create_dir(root.path().join(format!("{name}.dist-info"))).unwrap();
        let folder = root.path().join("torch/lib");
        fs::create_dir_all(&folder).unwrap();
        let library = folder.join("libhsa-runtime64.so");
        fs::write(&library, "").unwrap();
        let of = || Release::of_hsa_runtime(&library).map(|release| release.to_string());
        wheel("torch-2.9.0");
        assert_eq!(of(), None, "PyTorch's own number");
        fs::remove_dir(root.path().join("torch-2.9.0.dist-info")).unwrap();
        wheel("torch-2.9.0+rocm7.14.0");
        wheel("torchvision-0.24.0+rocm7.2");
        assert_eq!(of().as_deref(), Some("7.14.0"));
        wheel("torch-2.10.0+rocm7.2");
        assert_eq!(of(), None, "two versions of one package");
    }
}
