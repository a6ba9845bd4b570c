//! The environment that the recipes give a program, and what is said of it.

use crate::installed::{Installed, stderr, stdout};
use std::ffi::OsStr;
use std::fs;

#[test]
fn the_override_of_another_generation_is_gone_from_the_program_and_the_user_hears_why() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300], ["sh", "-c", "echo ${HSA_OVERRIDE_GFX_VERSION-gone}"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    assert_eq!(stdout(&output), "gone\n");
    let line = stderr(&output);
    assert!(
        line.starts_with(
            "rmcp-run: HSA_OVERRIDE_GFX_VERSION=11.0.0 is removed for gfx1030 at 0000:01:00.0 (--keep-env keeps it)"
        ),
        "{line}"
    );
    assert!(line.ends_with("(recipe override-other-major)\n"), "{line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn the_program_gets_an_unreadable_override_as_rocm_reads_it_and_the_user_hears_so() {
    let installed = Installed::new();
    let run = |value: &str| {
        let mut command = installed.on(&[100_302], ["sh", "-c", "echo ${HSA_OVERRIDE_GFX_VERSION-gone}"]);
        let output = command.env("HSA_OVERRIDE_GFX_VERSION", value).output().unwrap();
        (stdout(&output), stderr(&output))
    };
    for (value, becomes, word) in [
        ("\"10.3.0\"", "10.3.0", "HSA_OVERRIDE_GFX_VERSION='\"10.3.0\"' is written as 10.3.0 for gfx1032"),
        ("10.3.0 ", "10.3.0", "HSA_OVERRIDE_GFX_VERSION='10.3.0 ' is written as 10.3.0 for gfx1032"),
        ("10.3", "gone", "HSA_OVERRIDE_GFX_VERSION=10.3 is removed for gfx1032"),
        ("", "gone", "HSA_OVERRIDE_GFX_VERSION='' is removed for gfx1032"),
    ] {
        let (program, line) = run(value);
        assert_eq!(program, format!("{becomes}\n"), "{value:?}");
        assert!(line.starts_with(&format!("rmcp-run: {word} at 0000:01:00.0")), "{line}");
        assert!(line.ends_with("(recipe override-unreadable)\n") && line.lines().count() == 1, "{line}");
    }
    assert_eq!(run("10.3.0"), ("10.3.0\n".into(), String::new()));
}

#[test]
fn keep_env_keeps_it_and_no_recipes_says_nothing() {
    let installed = Installed::new();
    for (option, words) in [("--keep-env", "and kept as you wish"), ("--no-recipes", "")] {
        let mut command = installed.on(&[100_300], [option, "sh", "-c", "echo $HSA_OVERRIDE_GFX_VERSION"]);
        let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
        assert_eq!(stdout(&output), "11.0.0\n");
        assert!(stderr(&output).contains(words) && (words.is_empty() == stderr(&output).is_empty()), "{output:?}");
    }
}

#[test]
fn disabled_or_excluded_rmcp_run_leaves_the_environment_to_the_user() {
    let installed = Installed::new();
    let file = installed.root().join("rmcp.toml");
    fs::write(&file, "exclude = ['sh']\n").unwrap();
    for (name, value) in [("RMCP_DISABLE", OsStr::new("1")), ("RMCP_CONFIG", file.as_os_str())] {
        let mut command = installed.on(&[100_300], ["sh", "-c", "echo $HSA_OVERRIDE_GFX_VERSION"]);
        let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").env(name, value).output().unwrap();
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("11.0.0\n", ""), "{name}");
    }
}

#[test]
fn explain_says_why_rmcp_does_nothing_in_a_program() {
    let installed = Installed::new();
    let file = installed.root().join("rmcp.toml");
    fs::write(&file, "exclude = ['sh']\n[system]\nonly = ['python3']\n").unwrap();
    let explained = |program: &str| {
        let mut command = installed.on(&[100_300], ["--dry-run", "--explain", program]);
        stdout(&command.env("RMCP_CONFIG", &file).output().unwrap())
    };
    let why = format!("RMCP: inactive, the program is excluded by \"sh\" ({}:1)\n", file.display());
    assert!(explained("sh").contains(&why), "{}", explained("sh"));
    // rmcp-run has RMCP in it, whatever holds where nobody asked.
    assert!(!explained("true").contains("inactive"), "{}", explained("true"));
}

#[test]
fn dry_run_shows_what_is_set_and_what_is_removed() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300, 100_306], ["-n", "sh"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    let expected = format!(
        "set LD_PRELOAD={}\nset ROCR_VISIBLE_DEVICES=GPU-000000000000abc1\nremove HSA_OVERRIDE_GFX_VERSION (was 11.0.0)\n",
        installed.library().display()
    );
    assert_eq!(stdout(&output), expected);
}

#[test]
fn explain_says_why_and_from_where() {
    let installed = Installed::new();
    let output = installed.on(&[100_300, 100_306], ["-n", "-v", "sh"]).output().unwrap();
    let text = stdout(&output);
    for part in [
        "GPUs: gfx1030 at 0000:01:00.0, gfx1036 at 0000:02:00.0\n",
        "set ROCR_VISIBLE_DEVICES=GPU-000000000000abc1\n    gfx1036 at 0000:02:00.0: The runtime also counts",
        "recipe igpu-beside-card, confidence A: https://",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let output = installed.on(&[100_300, 100_306], ["-v", "echo", "ran"]).output().unwrap();
    assert_eq!(stdout(&output), "ran\n");
    assert!(stderr(&output).contains("recipe igpu-beside-card"));
}

#[test]
fn a_framework_that_looks_functions_up_is_told_whether_rmcp_meets_them() {
    let installed = Installed::new();
    let venv = installed.root().join("venv");
    let package = venv.join("lib/python3.11/site-packages/jax_rocm60_plugin");
    let python = venv.join("bin/python3");
    for folder in [&package, python.parent().unwrap()] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(venv.join("pyvenv.cfg"), "version = 3.11.2\n").unwrap();
    std::os::unix::fs::symlink("/bin/sh", &python).unwrap();
    let between = "    RMCP goes between the program and the HIP runtime";
    for (runtime, option, why, warning) in [
        ("6.4.43484", "dispatch_table=on", format!("{between}: JAX looks up its functions itself"), None),
        (
            "6.4.43484",
            "dispatch_table=off",
            "    RMCP is in the program, but JAX".into(),
            Some("; set dispatch_table=on"),
        ),
        (
            "5.7.50701",
            "dispatch_table=on",
            "    RMCP is in the program, but JAX".into(),
            Some("; use a build for ROCm 6"),
        ),
    ] {
        let library = package.join(format!("libamdhip64.so.{runtime}"));
        fs::write(&library, "").unwrap();
        let run = |explain: &[&str]| {
            let command = [&["-n", "--set", option], explain, &[python.to_str().unwrap()]].concat();
            installed.on(&[100_100], command).output().unwrap()
        };
        let text = stdout(&run(&["-v"]));
        assert!(text.contains(&why), "{runtime} {option}: {text}");
        let said = stderr(&run(&[]));
        match warning {
            Some(fix) => {
                assert!(said.starts_with("rmcp-run: JAX's allocations go past RMCP") && said.contains(fix), "{said}")
            }
            None => assert_eq!(said, ""),
        }
        fs::remove_file(library).unwrap();
    }
}

#[test]
fn json_has_every_change_with_its_recipe() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300], ["-n", "--json", "--profile", "miopen-gemm-fault", "sh"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    assert_eq!(stderr(&output), "");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "rmcp.run/1");
    let changes = json["changes"].as_array().unwrap();
    let shown =
        |change: &serde_json::Value| [&change["variable"], &change["value"], &change["recipe"]["id"]].map(Clone::clone);
    assert_eq!(changes[0]["recipe"], serde_json::Value::Null);
    assert_eq!(
        shown(&changes[1]),
        ["HSA_OVERRIDE_GFX_VERSION".into(), serde_json::Value::Null, "override-other-major".into()]
    );
    assert_eq!(changes[1]["before"], "11.0.0");
    assert_eq!(shown(&changes[2]), ["MIOPEN_DEBUG_CONV_GEMM", "0", "miopen-gemm-fault"].map(serde_json::Value::from));
    assert_eq!(json["notes"][0]["warning"], true);
}

#[test]
fn every_profile_is_listed_with_its_reason_and_source() {
    let installed = Installed::new();
    let list = stdout(&installed.run(["--list-profiles"]));
    for (name, recipe) in rmcp_cli::recipes::profiles() {
        assert!(list.contains(name) && list.contains(&recipe.why) && list.contains(&recipe.sources[0]), "{list}");
    }
}

#[test]
fn a_profile_that_does_nothing_here_says_so_and_the_program_runs() {
    let installed = Installed::new();
    let output = installed.on(&[100_300], ["-p", "gfx1010-conv-hang", "echo", "ran"]).output().unwrap();
    assert_eq!(stdout(&output), "ran\n");
    assert!(stderr(&output).contains("the profile gfx1010-conv-hang changes nothing here; it is for:"), "{output:?}");
}
