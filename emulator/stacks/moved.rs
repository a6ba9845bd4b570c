//! What Debian changed since the releases were last tested.

use crate::prefix::Package;
use crate::release::Release;

/// One line for each of the release's own packages that `packages` has in another version than the tested one:
/// `libamdhip64-7: 7.2.4-1 -> 7.3.0-1`.
pub fn moved(release: Release, packages: &[Package]) -> Vec<String> {
    let line = |(name, tested): (&str, &str)| {
        // A library whose SONAME moved is in a package with another number.
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let same = |package: &&Package| {
            package.name.strip_prefix(stem).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let found = packages.iter().find(|package| package.name == name).or_else(|| packages.iter().find(same));
        match found {
            Some(package) if package.name == name && package.version == tested => None,
            Some(package) if package.name == name => Some(format!("{name}: {tested} -> {}", package.version)),
            Some(package) => Some(format!("{name}: {tested} -> {} {}", package.name, package.version)),
            None => Some(format!("{name}: {tested} -> gone")),
        }
    };
    release.tested().into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::packages;

    /// What apt would download of 7.2.4 if these were its packages.
    fn index(packages: [(&str, &str); 3]) -> String {
        packages
            .map(|(name, version)| format!("'http://m.test/pool/x.deb' {name}_{version}_amd64.deb 42 MD5:0\n"))
            .concat()
    }

    #[test]
    fn a_suite_with_the_tested_versions_moved_nothing() {
        for release in Release::ALL {
            assert_eq!(moved(release, &packages(&index(release.tested()))), Vec::<String>::new());
        }
    }

    #[test]
    fn every_package_with_another_version_or_name_is_told_with_the_tested_one() {
        let tested = Release::Rocm724.tested();
        let [(hip, version), (hsa, hsa_version), (comgr, comgr_version)] = tested;
        let lines = moved(
            Release::Rocm724,
            &packages(&index([(hip, "7.3.0-1"), (hsa, hsa_version), ("libamd-comgr4", "8-1")])),
        );
        let expected =
            [format!("{hip}: {version} -> 7.3.0-1"), format!("{comgr}: {comgr_version} -> libamd-comgr4 8-1")];
        assert_eq!(lines, expected);
        let lines = moved(Release::Rocm724, &packages(&index([("libamdhip64-dev", "7.3.0-1"), tested[1], tested[2]])));
        assert_eq!(lines, [format!("{hip}: {version} -> gone")]);
    }
}
