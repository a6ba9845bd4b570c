//! Whether RMCP meets functions of HIP that a program looks up by itself.
//!
//! Functions that a program is linked with are met in the gate. Those that it looks up, with dlsym or ctypes, and those that
//! libraries loaded with RTLD_DEEPBIND call, are met in the runtime's own table alone, which there is from ROCm 6 on.

use crate::installs::{Known, Release};
use rmcp_domain::options::DispatchTable;

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookups {
    /// The runtime's own table leads to RMCP.
    Met,
    /// The runtime has none.
    NoTable,
    /// The option dispatch_table is off.
    TableOff,
    /// The release is not known.
    #[default]
    Unknown,
}

impl Lookups {
    /// With a runtime of that release.
    pub fn new(table: DispatchTable, release: Option<Release>) -> Self {
        match (table, release) {
            (DispatchTable::Off, _) => Self::TableOff,
            (DispatchTable::On, Some(release)) if release.major < 6 => Self::NoTable,
            (DispatchTable::On, Some(_)) => Self::Met,
            (DispatchTable::On, None) => Self::Unknown,
        }
    }

    /// Why they go past RMCP, as the end of a sentence, and what to do; None: they do not, or it is not known.
    pub fn miss(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoTable => Some((
                "before ROCm 6 the runtime has no table of its functions that RMCP could stand in",
                "use a build for ROCm 6 or later",
            )),
            Self::TableOff => Some(("the option dispatch_table is off", "set dispatch_table=on, which is the default")),
            Self::Met | Self::Unknown => None,
        }
    }

    /// What RMCP in LD_PRELOAD does for a program that computes with this; a sentence.
    pub fn preload_reason(self, framework: Option<&'static Known>) -> String {
        const BETWEEN: &str = "RMCP goes between the program and the HIP runtime";
        let looking = framework.filter(|framework| framework.looks_functions_up).map(|framework| framework.title);
        match (looking, self, self.miss()) {
            (Some(name), _, Some((why, _))) => {
                format!(
                    "RMCP is in the program, but {name} looks up the functions of HIP itself, and they go past it: {why}."
                )
            }
            (Some(name), Self::Met, _) => {
                format!("{BETWEEN}: {name} looks up its functions itself, and the runtime's own table leads to RMCP.")
            }
            (Some(name), ..) => {
                format!(
                    "{BETWEEN} from ROCm 6 on: {name} looks up its functions itself. The release here is not known."
                )
            }
            (None, _, Some((why, _))) => {
                format!("{BETWEEN}, but for functions that it looks up itself (dlsym, ctypes): {why}.")
            }
            (None, Self::Met, _) => format!("{BETWEEN}, also for functions that it looks up itself (dlsym, ctypes)."),
            (None, ..) => format!("{BETWEEN}; for functions that it looks up itself (dlsym, ctypes) from ROCm 6 on."),
        }
    }

    /// That a framework's calls go past RMCP, and what to do; a clause. None where they do not.
    pub fn warning(self, framework: &Known) -> Option<String> {
        let (why, fix) = self.miss().filter(|_| framework.looks_functions_up)?;
        let name = framework.title;
        Some(format!("{name}'s allocations go past RMCP: it looks up the functions of HIP itself, and {why}; {fix}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framework(id: &str) -> &'static Known {
        Known::of_id(id).unwrap()
    }

    const CASES: [(DispatchTable, Option<&str>, Lookups); 6] = [
        (DispatchTable::On, Some("6.0"), Lookups::Met),
        (DispatchTable::On, Some("7.2.4"), Lookups::Met),
        (DispatchTable::On, Some("5.7.1"), Lookups::NoTable),
        (DispatchTable::On, None, Lookups::Unknown),
        (DispatchTable::Off, Some("6.4.3"), Lookups::TableOff),
        (DispatchTable::Off, None, Lookups::TableOff),
    ];

    #[test]
    fn looked_up_functions_are_met_from_rocm_6_on_where_the_table_is_taken() {
        for (table, release, expected) in CASES {
            let release = release.map(|release| release.parse().unwrap());
            assert_eq!(Lookups::new(table, release), expected, "{table:?} {release:?}");
        }
    }

    #[test]
    fn rmcp_is_said_to_go_between_only_where_it_does() {
        use Lookups::{Met, NoTable, TableOff, Unknown};
        let between = "RMCP goes between the program and the HIP runtime";
        for (named, lookups, begins, has) in [
            (None, Met, between, "also for functions that it looks up itself"),
            (None, NoTable, between, "but for functions that it looks up itself (dlsym, ctypes): before ROCm 6"),
            (
                None,
                TableOff,
                between,
                "but for functions that it looks up itself (dlsym, ctypes): the option dispatch_table",
            ),
            (None, Unknown, between, "from ROCm 6 on"),
            (Some(framework("pytorch")), NoTable, between, "but for functions"),
            (
                Some(framework("jax")),
                Met,
                between,
                "JAX looks up its functions itself, and the runtime's own table leads to",
            ),
            (
                Some(framework("jax")),
                NoTable,
                "RMCP is in the program, but JAX looks up",
                "they go past it: before ROCm 6",
            ),
            (
                Some(framework("tensorflow")),
                TableOff,
                "RMCP is in the program, but TensorFlow",
                "dispatch_table is off",
            ),
            (Some(framework("tensorflow")), Unknown, between, "from ROCm 6 on: TensorFlow looks up"),
        ] {
            let reason = lookups.preload_reason(named);
            assert!(reason.starts_with(begins) && reason.contains(has) && reason.ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn a_framework_whose_calls_go_past_rmcp_is_warned_of_with_what_to_do() {
        let warning = |lookups: Lookups, named| lookups.warning(named).unwrap_or_default();
        assert!(warning(Lookups::NoTable, framework("tensorflow")).ends_with("; use a build for ROCm 6 or later"));
        assert!(warning(Lookups::TableOff, framework("jax")).starts_with("JAX's allocations go past RMCP"));
        for (lookups, named) in [
            (Lookups::NoTable, framework("pytorch")),
            (Lookups::TableOff, framework("llama-cpp")),
            (Lookups::Met, framework("jax")),
            (Lookups::Unknown, framework("jax")),
        ] {
            assert_eq!(warning(lookups, named), "");
        }
    }
}
