//! Attributes of shared virtual memory ranges (Linux drivers/gpu/drm/amd/amdkfd/kfd_svm.c).

use std::collections::BTreeMap;

/// `KFD_IOCTL_SVM_ATTR_*`, in the order of linux/kfd_ioctl.h.
pub mod attr {
    pub const PREFERRED_LOC: u32 = 0;
    pub const PREFETCH_LOC: u32 = 1;
    pub const ACCESS: u32 = 2;
    pub const ACCESS_IN_PLACE: u32 = 3;
    pub const NO_ACCESS: u32 = 4;
    pub const SET_FLAGS: u32 = 5;
    pub const CLR_FLAGS: u32 = 6;
    pub const GRANULARITY: u32 = 7;
}

/// `KFD_IOCTL_SVM_FLAG_HOST_ACCESS` and `_COHERENT`: what a range has from the start.
const DEFAULT_FLAGS: u32 = 1 | 2;
/// `KFD_IOCTL_SVM_FLAG_COHERENT` and `_EXT_COHERENT`: either means MTYPE_UC on gfx10.
const ANY_COHERENT: u32 = 1 << 1 | 1 << 7;
/// `KFD_IOCTL_SVM_FLAG_GPU_ALWAYS_MAPPED`.
const ALWAYS_MAPPED: u32 = 1 << 6;
/// `KFD_IOCTL_SVM_LOCATION_UNDEFINED`.
const UNDEFINED: u32 = u32::MAX;

/// What is set on a range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attributes {
    flags: u32,
    preferred: u32,
    prefetch: u32,
    granularity: u32,
    access: BTreeMap<u32, u32>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            flags: DEFAULT_FLAGS,
            preferred: UNDEFINED,
            prefetch: UNDEFINED,
            granularity: 9,
            access: BTreeMap::new(),
        }
    }
}

/// All ranges of a process: start to (end, attributes), disjoint.
#[derive(Debug, Default)]
pub struct Svm {
    ranges: BTreeMap<u64, (u64, Attributes)>,
}

impl Svm {
    /// Sets attributes on `[start, start + size)`; false when an attribute type is unknown.
    pub fn set(&mut self, start: u64, size: u64, attrs: &[(u32, u32)]) -> bool {
        if attrs.iter().any(|&(kind, _)| kind > attr::GRANULARITY) {
            return false;
        }
        let end = start + size;
        self.split(start);
        self.split(end);
        let mut gaps = Vec::new();
        let mut at = start;
        for (&from, &(to, _)) in self.ranges.range(start..end) {
            if at < from {
                gaps.push((at, from));
            }
            at = to;
        }
        if at < end {
            gaps.push((at, end));
        }
        for (from, to) in gaps {
            self.ranges.insert(from, (to, Attributes::default()));
        }
        for (_, (_, found)) in self.ranges.range_mut(start..end) {
            for &(kind, value) in attrs {
                match kind {
                    attr::PREFERRED_LOC => found.preferred = value,
                    attr::PREFETCH_LOC => found.prefetch = value,
                    attr::SET_FLAGS => found.flags |= value,
                    attr::CLR_FLAGS => found.flags &= !value,
                    attr::GRANULARITY => found.granularity = value.min(63),
                    _ => {
                        found.access.insert(value, kind);
                    }
                }
            }
        }
        true
    }

    /// Answers `attrs` in place with what holds for the whole of `[start, start + size)`.
    pub fn get(&self, start: u64, size: u64, attrs: &mut [(u32, u32)]) -> bool {
        let end = start + size;
        let default = Attributes::default();
        let mut found: Vec<&Attributes> = self.overlapping(start, end).map(|(_, _, a)| a).collect();
        if found.is_empty() {
            found.push(&default);
        }
        for (kind, value) in attrs {
            let same = |pick: fn(&Attributes) -> u32| {
                let first = pick(found[0]);
                if found.iter().all(|a| pick(a) == first) { first } else { UNDEFINED }
            };
            match *kind {
                attr::PREFERRED_LOC => *value = same(|a| a.preferred),
                attr::PREFETCH_LOC => *value = same(|a| a.prefetch),
                attr::SET_FLAGS => *value = found.iter().fold(u32::MAX, |all, a| all & a.flags),
                attr::CLR_FLAGS => *value = !found.iter().fold(0, |any, a| any | a.flags),
                attr::GRANULARITY => *value = found.iter().map(|a| a.granularity).min().unwrap_or(9),
                attr::ACCESS => {
                    let gpu = *value;
                    let accesses = found.iter().map(|a| a.access.get(&gpu).copied().unwrap_or(attr::NO_ACCESS));
                    *kind = accesses.max().unwrap_or(attr::NO_ACCESS);
                }
                _ => return false,
            }
        }
        true
    }

    /// Whether `gpu` may reach `address`; up to where the range goes, and whether it is coherent.
    pub fn reach(&self, gpu: u32, address: u64) -> Option<(u64, bool)> {
        let (_, end, attributes) = self.overlapping(address, address + 1).next()?;
        match attributes.access.get(&gpu) {
            Some(&attr::ACCESS | &attr::ACCESS_IN_PLACE) => Some((end, attributes.flags & ANY_COHERENT != 0)),
            _ => None,
        }
    }

    /// Whether all of `[start, start + size)` stays mapped to `gpu`, as a queue's memory must.
    pub fn is_always_mapped(&self, gpu: u32, start: u64, size: u64) -> bool {
        let mut at = start;
        for (from, to, attributes) in self.overlapping(start, start.saturating_add(size)) {
            let access = matches!(attributes.access.get(&gpu), Some(&attr::ACCESS | &attr::ACCESS_IN_PLACE));
            if from > at || !access || attributes.flags & ALWAYS_MAPPED == 0 {
                return false;
            }
            at = to;
        }
        at >= start.saturating_add(size)
    }

    /// Forgets `[start, start + size)`: the CPU has unmapped it.
    pub fn forget(&mut self, start: u64, size: u64) {
        let end = start.saturating_add(size);
        self.split(start);
        self.split(end);
        self.ranges.retain(|&from, _| from < start || from >= end);
    }

    /// Whether no range exists.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64, &Attributes)> {
        let first = self.ranges.range(..=start).next_back().map_or(start, |(&from, _)| from);
        self.ranges
            .range(first..end)
            .filter(move |(_, (to, _))| *to > start)
            .map(|(&from, (to, attributes))| (from, *to, attributes))
    }

    fn split(&mut self, at: u64) {
        let Some((&from, (to, _))) = self.ranges.range(..at).next_back() else { return };
        if from < at && at < *to {
            let (to, attributes) = self.ranges[&from].clone();
            self.ranges.insert(from, (at, attributes.clone()));
            self.ranges.insert(at, (to, attributes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(svm: &Svm, start: u64, size: u64) -> u32 {
        let mut attrs = [(attr::SET_FLAGS, 0)];
        assert!(svm.get(start, size, &mut attrs));
        attrs[0].1
    }

    #[test]
    fn a_new_range_is_host_accessible_and_coherent() {
        let mut svm = Svm::default();
        svm.set(0x1000, 0x4000, &[(attr::ACCESS, 7)]);
        assert_eq!(flags(&svm, 0x1000, 0x4000), 3);
    }

    #[test]
    fn clearing_coherent_on_a_part_leaves_the_rest_and_the_whole_is_the_intersection() {
        let mut svm = Svm::default();
        svm.set(0x1000, 0x4000, &[(attr::ACCESS, 7)]);
        svm.set(0x2000, 0x1000, &[(attr::CLR_FLAGS, 2)]);
        assert_eq!(flags(&svm, 0x2000, 0x1000), 1);
        assert_eq!(flags(&svm, 0x3000, 0x2000), 3);
        assert_eq!(flags(&svm, 0x1000, 0x4000), 1);
        let mut clear = [(attr::CLR_FLAGS, 0)];
        svm.get(0x2000, 0x1000, &mut clear);
        assert_eq!(clear[0].1 & 3, 2);
    }

    #[test]
    fn only_a_card_with_access_reaches_a_range_and_only_until_it_is_unmapped() {
        let mut svm = Svm::default();
        svm.set(0x1000, 0x2000, &[(attr::ACCESS, 7)]);
        assert_eq!(svm.reach(7, 0x1800), Some((0x3000, true)));
        assert_eq!(svm.reach(8, 0x1800), None);
        assert_eq!(svm.reach(7, 0x3000), None);
        svm.forget(0x1000, 0x1000);
        assert_eq!(svm.reach(7, 0x1800), None);
        assert_eq!(svm.reach(7, 0x2000), Some((0x3000, true)));
    }

    #[test]
    fn access_is_answered_per_card() {
        let mut svm = Svm::default();
        svm.set(0x1000, 0x1000, &[(attr::ACCESS_IN_PLACE, 7)]);
        let mut attrs = [(attr::ACCESS, 7), (attr::ACCESS, 8)];
        svm.get(0x1000, 0x1000, &mut attrs);
        assert_eq!(attrs, [(attr::ACCESS_IN_PLACE, 7), (attr::NO_ACCESS, 8)]);
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        assert!(!Svm::default().set(0x1000, 0x1000, &[(8, 0)]));
    }
}
