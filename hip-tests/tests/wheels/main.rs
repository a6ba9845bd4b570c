//! `rmcp inspect` and `rmcp detect` on real wheels: those of PyPI that are small enough to download, and what the headers of
//! the others say, as recorded in `recorded/`.
#![forbid(unsafe_code)]

mod headers;
mod site;

use headers::Headers;
use rmcp_hip_tests::{Build, Wheel, require};
use serde_json::Value;
use site::Site;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const CARDS: [&str; 3] = ["gfx1010", "gfx1030", "gfx1031"];

/// Downloaded: 160 MB together, 690 MB unpacked.
const BITSANDBYTES: Wheel = Wheel {
    name: "bitsandbytes",
    version: "0.50.2",
    python: "3.11",
    sha256: "55348a9a4a21bfd99cf8c7b32fe67b4030ae5c2a05738e03c1747f65fa6ec283",
};
const CUPY: Wheel = Wheel {
    name: "cupy-rocm-7-0",
    version: "14.2.0",
    python: "3.11",
    sha256: "8e824c1c2fc386e72fe8ae69ab7c273326b17650160400f8f4ea2c932189ed1a",
};
const CYLLAMA: Wheel = Wheel {
    name: "cyllama-rocm",
    version: "0.2.18",
    python: "3.11",
    sha256: "16ee5bba138e2b5531a75e1230ed15f419b960afe56c66846afa549ebf1acb4b",
};

/// Recorded: 460 MB together, 2 GB unpacked.
const ONNXRUNTIME: Wheel = Wheel {
    name: "onnxruntime-rocm",
    version: "1.22.2.post3",
    python: "3.13",
    sha256: "4f30b0722b7bba71af4302486fa7590bf568eac471cf0e926665d70a66f382dc",
};
const JAX_ROCM60: [Wheel; 2] = [
    Wheel {
        name: "jax-rocm60-plugin",
        version: "0.5.0",
        python: "3.12",
        sha256: "c2bc3c6f78a63d1c04d10ed3279807fd83e19e2ed495cc6717d5e443fefa551f",
    },
    Wheel {
        name: "jax-rocm60-pjrt",
        version: "0.5.0",
        python: "3.12",
        sha256: "e8097aa9dde2b759604e7b3f163e50dc83380968002e32fc770a8f91126d1b55",
    },
];
const JAX_ROCM7: [Wheel; 2] = [
    Wheel {
        name: "jax-rocm7-plugin",
        version: "0.12.0",
        python: "3.13",
        sha256: "7fbb0b6f2fcf355b76cac358811d8be235ffab289a9fb5f7adc0175605fc853c",
    },
    Wheel {
        name: "jax-rocm7-pjrt",
        version: "0.12.0",
        python: "3.13",
        sha256: "4551d0714523355f2946ca1958c3f584e95661e467a641d36b726f718a1c7934",
    },
];
const JAX_ROCM10: [Wheel; 2] = [
    Wheel {
        name: "jax-rocm10-plugin",
        version: "0.12.0",
        python: "3.13",
        sha256: "0619ba7ca20f95afdee8122bf245cfba2e1a30eff7bf54854b885d4aca61b3fe",
    },
    Wheel {
        name: "jax-rocm10-pjrt",
        version: "0.12.0",
        python: "3.13",
        sha256: "45ee7b471b71a582ce165dd63069b10d1d8923d849b61b6fa8783f1d13294edb",
    },
];

/// How a library, or the whole package, serves [`CARDS`].
type Verdicts = [&'static str; 3];
const FOR_RDNA2: Verdicts = ["none", "native", "override"];
const FOR_ALL: Verdicts = ["native"; 3];
const FOR_NONE: Verdicts = ["none"; 3];

/// What is to be said of a package.
struct Expected {
    package: &'static str,
    /// As `rmcp detect` names it: version, and what it was built for.
    detected: &'static str,
    /// Each library with GPU code, by the end of its path.
    libraries: &'static [(&'static str, Verdicts)],
    cards: Verdicts,
}

#[test]
fn wheels_of_pypi_are_named_and_their_code_is_told_for_each_card() {
    let bitsandbytes =
        |libraries, cards| Expected { package: "bitsandbytes", detected: "0.50.2 for ROCm", libraries, cards };
    for (wheel, hip, expected) in [
        // The library that the PyTorch beside it makes it load.
        (
            BITSANDBYTES,
            Some("7.0.2"),
            bitsandbytes(&[("bitsandbytes/libbitsandbytes_rocm70.so", FOR_RDNA2)], FOR_RDNA2),
        ),
        (BITSANDBYTES, Some("7.14.1"), bitsandbytes(&[("bitsandbytes/libbitsandbytes_rocm714.so", FOR_ALL)], FOR_ALL)),
        (
            CUPY,
            None,
            Expected {
                package: "cupy",
                detected: "14.2.0 for ROCm 7.0",
                libraries: &[
                    ("cupy/cuda/cub.cpython-311-x86_64-linux-gnu.so", FOR_RDNA2),
                    ("cupy/cuda/thrust.cpython-311-x86_64-linux-gnu.so", FOR_RDNA2),
                    ("cupy/random/_generator_api.cpython-311-x86_64-linux-gnu.so", FOR_RDNA2),
                ],
                cards: FOR_RDNA2,
            },
        ),
        (
            CYLLAMA,
            None,
            Expected {
                package: "cyllama",
                detected: "0.2.18 for ROCm",
                libraries: &[("cyllama_rocm.libs/libggml-hip-f822f971.so", FOR_NONE)],
                cards: FOR_NONE,
            },
        ),
    ] {
        let Some(installed) = require("a wheel of PyPI", wheel.fetch()) else { return };
        let site = Site::new();
        site.link_all(&installed);
        if let Some(hip) = hip {
            site.write("torch/version.py", &format!("__version__ = '2.9'\ncuda = None\nhip = '{hip}'\n"));
        }
        assert_told(&site, &expected);
    }
}

#[test]
fn wheels_whose_headers_are_recorded_are_named_and_their_code_is_told_for_each_card() {
    let jax_7 = |package, detected, libraries| Expected { package, detected, libraries, cards: FOR_ALL };
    for (wheels, expected) in [
        (
            &[ONNXRUNTIME][..],
            Expected {
                package: "onnxruntime",
                detected: "1.22.2.post3 for ROCm",
                libraries: &[("onnxruntime/capi/libonnxruntime_providers_rocm.so", FOR_RDNA2)],
                cards: FOR_RDNA2,
            },
        ),
        (
            &JAX_ROCM60,
            Expected {
                package: "jax_rocm60_plugin",
                detected: "0.5.0 for ROCm",
                libraries: &[
                    ("jax_rocm60_plugin/_blas.so", FOR_RDNA2),
                    ("jax_rocm60_plugin/_linalg.so", FOR_RDNA2),
                    ("jax_rocm60_plugin/_prng.so", FOR_RDNA2),
                    ("jax_rocm60_plugin/_solver.so", FOR_RDNA2),
                    ("jax_plugins/xla_rocm60/xla_rocm_plugin.so", FOR_RDNA2),
                ],
                cards: FOR_RDNA2,
            },
        ),
        (
            &JAX_ROCM7,
            jax_7(
                "jax_rocm7_plugin",
                "0.12.0 for ROCm 7.14.0",
                &[
                    ("jax_rocm7_plugin/_linalg.so", FOR_ALL),
                    ("jax_rocm7_plugin/_prng.so", FOR_ALL),
                    ("jax_rocm7_plugin/_solver.so", FOR_ALL),
                    ("jax_plugins/xla_rocm7/xla_rocm_plugin.so", FOR_ALL),
                ],
            ),
        ),
        (
            &JAX_ROCM10,
            jax_7(
                "jax_rocm10_plugin",
                "0.12.0 for ROCm 10.1.0",
                &[
                    ("jax_rocm10_plugin/_linalg.so", FOR_ALL),
                    ("jax_rocm10_plugin/_prng.so", FOR_ALL),
                    ("jax_rocm10_plugin/_solver.so", FOR_ALL),
                    ("jax_plugins/xla_rocm10/xla_rocm_plugin.so", FOR_ALL),
                ],
            ),
        ),
    ] {
        let site = Site::new();
        for wheel in wheels {
            Headers::recorded(wheel).write_into(&site);
        }
        assert_told(&site, &expected);
    }
}

/// What a file of made-up code under recorded headers is worth: of a wheel that is here, both give one table.
#[test]
fn a_package_and_its_recorded_headers_are_told_alike() {
    for (wheel, package) in [(CYLLAMA, "cyllama"), (BITSANDBYTES, "bitsandbytes")] {
        let Some(installed) = require("a wheel of PyPI", wheel.fetch()) else { return };
        let (real, rebuilt) = (Site::new(), Site::new());
        real.link_all(&installed);
        Headers::read(&installed).expect("its headers").write_into(&rebuilt);
        for site in [&real, &rebuilt] {
            site.write("torch/version.py", "__version__ = '2.9'\ncuda = None\nhip = '7.0.2'\n");
        }
        assert_eq!(code_table(&inspect(&real, package)), code_table(&inspect(&rebuilt, package)));
        assert_eq!(detected(&real, package), detected(&rebuilt, package));
    }
}

/// `WRITE_GENERATED=1 cargo test -p rmcp-hip-tests --test wheels -- --ignored` records them.
#[test]
#[ignore = "downloads 460 MB"]
fn recorded_headers_are_those_of_the_wheels() {
    for wheel in [&[ONNXRUNTIME][..], &JAX_ROCM60, &JAX_ROCM7, &JAX_ROCM10].concat() {
        let Some(installed) = require("a wheel of PyPI", wheel.fetch()) else { return };
        Headers::read(&installed).expect("its headers").check(&wheel);
        wheel.remove().expect("it can be removed from the cache");
    }
}

#[track_caller]
fn assert_told(site: &Site, expected: &Expected) {
    let package = expected.package;
    assert_eq!(detected(site, package), format!("{package} {}", expected.detected));
    let report = inspect(site, package);
    let told: BTreeSet<(String, Vec<String>)> = files(&report)
        .map(|file| {
            let path = Path::new(text(&file["path"]));
            let end: Vec<&str> = path.iter().rev().take(3).filter_map(|part| part.to_str()).collect();
            let name = end.into_iter().rev().collect::<Vec<_>>().join("/");
            assert_eq!(file["problems"], Value::Array(Vec::new()), "{package}: {name}");
            let known = expected.libraries.iter().find(|(known, _)| name.ends_with(known));
            (known.map_or(name, |(known, _)| (*known).to_owned()), words(&file["coverage"]))
        })
        .collect();
    let libraries = expected.libraries.iter();
    let libraries: BTreeSet<(String, Vec<String>)> =
        libraries.map(|(name, verdicts)| ((*name).to_owned(), verdicts.map(str::to_owned).to_vec())).collect();
    assert_eq!(told, libraries, "{package}");

    let cards = report["cards"].as_array().expect("cards");
    for ((card, target), coverage) in cards.iter().zip(CARDS).zip(expected.cards) {
        assert_eq!((text(&card["target"]), text(&card["coverage"])), (target, coverage), "{package}");
        let advice = card["advice"].as_array().expect("advice");
        assert!(advice.iter().all(|advice| !advice["sources"].as_array().expect("sources").is_empty()));
        let says = |words: &str| advice.iter().any(|advice| text(&advice["text"]).contains(words));
        let uses_another_build = says("use a build that has its target");
        let sets_override = says("rmcp-run sets HSA_OVERRIDE_GFX_VERSION=10.3.0");
        let told = (uses_another_build, sets_override, card["override_version"].as_str());
        let expected = match coverage {
            "native" => (false, false, None),
            "override" => (false, true, Some("10.3.0")),
            _ => (true, false, None),
        };
        assert_eq!(told, expected, "{package} on {target}: {advice:?}");
    }
}

/// "NAME VERSION for WHAT", as `rmcp detect` names a package.
fn detected(site: &Site, package: &str) -> String {
    let report = rmcp(site, &["detect", "--json"]);
    let frameworks = report["frameworks"].as_array().expect("frameworks");
    let found =
        frameworks.iter().find(|found| found["name"] == package).unwrap_or_else(|| panic!("{package}: {report}"));
    format!("{package} {} for {}", text(&found["version"]), text(&found["built_for"]))
}

fn inspect(site: &Site, package: &str) -> Value {
    let cards = CARDS.iter().flat_map(|card| ["--card", card]);
    rmcp(site, &["inspect", "--json", package].into_iter().chain(cards).collect::<Vec<_>>())
}

/// What a command says on a machine whose shell has the environment of `site` active.
fn rmcp(site: &Site, arguments: &[&str]) -> Value {
    let rmcp = Build::find().expect("RMCP is built").rmcp_run().with_file_name("rmcp");
    let mut command = Command::new(rmcp);
    command.args(arguments).env_clear().env("PATH", "/usr/bin").env("VIRTUAL_ENV", site.environment());
    let output = command.output().expect("rmcp runs");
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}; {said}"))
}

/// The files with code: name, kind, targets with their counts, bundles, compressed ones, and verdicts.
fn code_table(report: &Value) -> BTreeSet<String> {
    let line = |file: &Value| {
        let name = Path::new(text(&file["path"])).file_name().expect("a name").display().to_string();
        let rest = ["kind", "targets", "bundles", "compressed", "coverage"].map(|field| file[field].to_string());
        format!("{name} {}", rest.join(" "))
    };
    files(report).map(line).collect()
}

fn files(report: &Value) -> impl Iterator<Item = &Value> {
    report["files"].as_array().expect("files").iter()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().expect("words").iter().map(|word| text(word).to_owned()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
