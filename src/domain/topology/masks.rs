//! ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES.

use super::Gpu;
use std::env;

/// The variables that hide and reorder GPUs, as they are set; None is not set at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// ROCR_VISIBLE_DEVICES, which ROCr applies first.
    pub rocr: Option<String>,
    /// HIP_VISIBLE_DEVICES, which HIP applies to what ROCr left.
    pub hip: Option<String>,
    /// CUDA_VISIBLE_DEVICES, which HIP takes when HIP_VISIBLE_DEVICES is not set.
    pub cuda: Option<String>,
}

impl Masks {
    /// As this process has them now. The runtime reads them once, when it starts.
    pub fn from_process() -> Self {
        let var = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self { rocr: var("ROCR_VISIBLE_DEVICES"), hip: var("HIP_VISIBLE_DEVICES"), cuda: var("CUDA_VISIBLE_DEVICES") }
    }

    pub(super) fn apply<'a>(&self, gpus: &'a [Gpu]) -> Vec<&'a Gpu> {
        let mut seen: Vec<&Gpu> = gpus.iter().collect();
        if let Some(mask) = &self.rocr {
            seen = by_rocr(&seen, mask);
        }
        if let Some(mask) = self.hip.as_ref().or(self.cuda.as_ref()) {
            seen = by_hip(&seen, mask);
        }
        seen
    }
}

/// ROCr's RvdFilter (amd_filter_device.cpp): tokens are trimmed and case is ignored; a token is a number in C notation
/// or a prefix of exactly one UUID; the first token that is neither, or that names a GPU again, ends the list.
fn by_rocr<'a>(gpus: &[&'a Gpu], mask: &str) -> Vec<&'a Gpu> {
    let mut chosen: Vec<&Gpu> = Vec::new();
    for token in mask.split(',') {
        let token = token.trim().to_ascii_uppercase();
        let found = if token.starts_with('G') { uuid_prefix(gpus, &token) } else { c_number(&token) };
        match found.and_then(|index| gpus.get(index)) {
            Some(gpu) if !chosen.iter().any(|other| other.node == gpu.node) => chosen.push(gpu),
            _ => break,
        }
    }
    chosen
}

fn uuid_prefix(gpus: &[&Gpu], token: &str) -> Option<usize> {
    if !(5..=20).contains(&token.len()) {
        return None;
    }
    let matches = |gpu: &Gpu| gpu.unique_id.is_some() && gpu.uuid().to_ascii_uppercase().starts_with(token);
    let mut found = gpus.iter().enumerate().filter(|(_, gpu)| matches(gpu)).map(|(index, _)| index);
    found.next().filter(|_| found.next().is_none())
}

/// What strtol with base 0 makes of all of an upper-case text: decimal, 0X hexadecimal, 0 octal.
fn c_number(token: &str) -> Option<usize> {
    let digits = token.strip_prefix('+').unwrap_or(token);
    let (digits, radix) = match digits.strip_prefix("0X") {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    plain.then(|| usize::from_str_radix(digits, radix).ok())?
}

/// CLR (rocdevice.cpp, Device::init; flags.cpp): quotes around the whole value are dropped; a token is a plain decimal
/// number without blanks, or from ROCm 5.5 on part of a UUID that contains "GPU-"; the first other token ends the
/// list, a repeated one is ignored. A value that is set but empty hides every GPU.
fn by_hip<'a>(gpus: &[&'a Gpu], mask: &str) -> Vec<&'a Gpu> {
    let mut chosen: Vec<&Gpu> = Vec::new();
    for token in unquoted(mask).split(',') {
        let found = if token.contains("GPU-") {
            gpus.iter().find(|gpu| gpu.uuid().contains(token))
        } else {
            token.parse::<usize>().ok().filter(|index| index.to_string() == token).and_then(|index| gpus.get(index))
        };
        match found {
            Some(gpu) if chosen.iter().any(|other| other.node == gpu.node) => {}
            Some(gpu) => chosen.push(gpu),
            None => break,
        }
    }
    chosen
}

/// CLR's removeQuotes: leading blanks, then a quote, and a last quote that only blanks follow.
fn unquoted(value: &str) -> &str {
    let inner = || value.trim_start_matches(' ').strip_prefix('"')?.trim_end_matches(' ').strip_suffix('"');
    inner().unwrap_or(value)
}
