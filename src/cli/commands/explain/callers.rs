//! Whose call it is: libraries for which other options hold than for the program.

use super::outcome::Outcome;
use rmcp_domain::libraries::{LIBRARIES, Library, Memory};
use rmcp_domain::options::{CallerOptions, Linkage, Loaded, Options};

/// Some callers for which the same options hold.
pub struct CallerGroup {
    /// Which; None: all of which nothing else is said.
    label: Option<String>,
    /// The options.
    pub options: Options,
    /// Why they are not the program's.
    pub exception: Option<String>,
}

impl CallerGroup {
    fn new(who: Option<String>, CallerOptions { options, exception }: CallerOptions) -> Self {
        Self { label: who, options, exception: exception.map(|why| why.to_string()) }
    }
}

/// Those that can be told apart, the usual one first; the one library that is named.
pub fn caller_groups(loaded: &Loaded, named: Option<&str>) -> Vec<CallerGroup> {
    if let Some(path) = named {
        return vec![CallerGroup::new(None, loaded.caller_options(path, || None))];
    }
    let usual = || loaded.caller_options("", || None);
    let known = loaded.known_callers_only();
    let mut all =
        vec![CallerGroup::new(known.then(|| "called by the program, or by a library not named here".into()), usual())];
    let named = |memory| LIBRARIES.iter().filter(move |library| library.memory == memory);
    let mut group = |memory, what: &str| {
        if let Some(first) = named(memory).next() {
            let names = named(memory).map(|library: &Library| library.name).collect::<Vec<_>>().join(", ");
            // One speaks for all: no section of a file is looked at here.
            let one = CallerGroup::new(Some(format!("called by {names}, which {what}")), loaded.library_options(first));
            let exception = one.exception.as_ref().map(|_| format!("they {what}"));
            all.push(CallerGroup { exception, ..one });
        }
    };
    group(Memory::Rewrite, "are known to be right with it");
    group(Memory::Keep, "need coherent memory");
    group(Memory::Unmapped, "need coherent memory where they ask for Mapped");
    for linkage in Linkage::ALL.into_iter().filter(|_| !known) {
        let who = match linkage {
            Linkage::StreamMemory => "called by a library or program that uses hipStreamWaitValue32 or the like",
            Linkage::HostNodes => "called by a library or program that has graphs call its functions, from ROCm 7.1 on",
        };
        all.push(CallerGroup::new(Some(who.into()), loaded.caller_options("", || Some(linkage))));
    }
    for pattern in loaded.library_patterns() {
        let caller = loaded.caller_options(&pattern.replace('*', ""), || None);
        all.push(CallerGroup::new(Some(format!("called by {pattern}")), caller));
    }
    all
}

/// What becomes of a call: as the usual caller makes it, and as others do for whom it is different.
pub fn outcomes_by_caller(callers: &[CallerGroup], answer: impl Fn(&CallerGroup) -> Vec<Outcome>) -> Vec<Outcome> {
    let Some((usual, others)) = callers.split_first() else { return Vec::new() };
    let base = answer(usual);
    let mut all = Vec::new();
    for other in others {
        let of_callers = answer(other);
        let same = of_callers.iter().map(Outcome::effect).eq(base.iter().map(Outcome::effect));
        if !same && let Some(who) = &other.label {
            all.extend(of_callers.into_iter().map(|outcome| outcome.with_caller(who)));
        }
    }
    let base = base.into_iter().map(|outcome| match &usual.label {
        Some(who) if !all.is_empty() => outcome.with_caller(who),
        _ => outcome,
    });
    base.chain(all.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_domain::options::{Callers as Whose, Host, Sources};

    fn loaded(text: &str, system: bool) -> Loaded {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Options::load(&Sources { files: vec![file.path().into()], system, ..Sources::default() })
    }

    fn hosts(callers: &[CallerGroup]) -> Vec<Host> {
        callers.iter().map(|callers| callers.options.host).collect()
    }

    #[test]
    fn libraries_that_need_coherent_memory_and_users_of_stream_memory_are_told_apart() {
        use Host::{Keep, Noncoherent, Unmapped};
        assert_eq!(
            hosts(&caller_groups(&loaded("", false), None)),
            [Noncoherent, Noncoherent, Keep, Unmapped, Keep, Keep]
        );
        assert_eq!(hosts(&caller_groups(&loaded("", false), Some("/opt/rocm/lib/librccl.so.1"))), [Keep]);
        assert_eq!(hosts(&caller_groups(&loaded("", false), Some("libother.so"))), [Noncoherent]);
    }

    #[test]
    fn in_every_process_only_what_is_known_or_named_is_rewritten() {
        use Host::{Keep, Noncoherent, Unmapped};
        assert_eq!(hosts(&caller_groups(&loaded("", true), None)), [Keep, Noncoherent, Keep, Unmapped]);
        let section = "[library.libmine]\nhost = 'noncoherent'";
        assert_eq!(
            hosts(&caller_groups(&loaded(section, true), None)),
            [Keep, Noncoherent, Keep, Unmapped, Noncoherent]
        );
        let all = loaded("[system]\ncallers = 'all'", true);
        assert_eq!(all.options.callers, Whose::All);
        assert_eq!(hosts(&caller_groups(&all, None)), [Noncoherent, Noncoherent, Keep, Unmapped, Keep, Keep]);
    }
}
