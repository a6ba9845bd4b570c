//! Programs behind launchers and scripts.

use crate::installed::{Installed, script, stderr, stdout};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What an RX 6800's rmcp-run believes that this command computes with.
fn framework_of(
    installed: &Installed,
    folder: &Path,
    command: &[&OsStr],
    environment: &[(&str, &OsStr)],
) -> serde_json::Value {
    let mut run = installed.on(&[100_300], [OsStr::new("-n"), OsStr::new("--json")]);
    run.args(command).current_dir(folder).envs(environment.iter().copied());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["framework"].is_null(), json["rocm"].is_null());
    json["framework"].clone()
}

/// A virtual environment with PyTorch. Its interpreter is a shell.
fn venv_with_pytorch(root: &Path, at: &str) -> PathBuf {
    let venv = root.join(at);
    let site = venv.join("lib/python3.11/site-packages");
    fs::create_dir_all(site.join("torch")).unwrap();
    fs::create_dir_all(site.join("torch-2.4.1.dist-info")).unwrap();
    fs::create_dir_all(venv.join("bin")).unwrap();
    fs::write(site.join("torch/version.py"), "hip: Optional[str] = '6.1.40091-a8dbc0c19'\n").unwrap();
    fs::write(venv.join("pyvenv.cfg"), "version = 3.11.2\n").unwrap();
    std::os::unix::fs::symlink("/bin/sh", venv.join("bin/python3")).unwrap();
    std::os::unix::fs::symlink("python3", venv.join("bin/python")).unwrap();
    venv
}

#[test]
fn pytorch_is_found_behind_scripts_and_launchers() {
    let installed = Installed::new();
    let root = installed.root();
    let venv = |at: &str| venv_with_pytorch(&root, at);
    let venv_here = venv("one");
    let bin = venv_here.join("bin");
    let python = bin.join("python");
    let torchrun = script(&root, "one/bin/torchrun", &format!("#!{}", python.display()));
    let by_env = script(&root, "by-env", "#!/usr/bin/env -S python3");
    let shell = script(&root, "somewhere/webui.sh", "#!/bin/sh");
    let path = std::env::join_paths([bin.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let path: &[(&str, &OsStr)] = &[("PATH", &path)];
    let active: &[(&str, &OsStr)] = &[("VIRTUAL_ENV", venv_here.as_os_str())];
    let os = OsStr::new;
    let finds = |command: &[&OsStr], environment| framework_of(&installed, &root, command, environment);
    for (command, environment) in [
        (&[python.as_os_str()][..], &[][..]),
        (&[torchrun.as_os_str()], &[]),
        (&[by_env.as_os_str()], path),
        (&[os("python3"), os("train.py")], path),
        (&[os("env"), os("A=b"), os("python3"), os("train.py")], path),
        (&[os("nice"), os("-n"), os("5"), os("env"), os("python3")], path),
        (&[os("/lib64/ld-linux-x86-64.so.2"), os("--library-path"), os("/nowhere"), python.as_os_str()], &[]),
        (&[os("timeout"), os("-k"), os("5"), os("60"), os("stdbuf"), os("-oL"), torchrun.as_os_str()], &[]),
        (&[os("sh"), os("-c"), os("A=b exec python3 train.py")], path),
        (&[os("env"), os("-u"), os("A"), os("-S"), os("python3 train.py")], path),
        (&[shell.as_os_str()], active),
    ] {
        assert_eq!(finds(command, environment), "PyTorch 2.4.1", "{command:?}");
    }
    let nothing = [&[shell.as_os_str()][..], &[os("env")], &[os("env"), os("A=b"), os("no-such-program")], &[os("sh")]];
    for command in nothing {
        assert!(finds(command, &[]).is_null(), "{command:?}");
    }
    // The environments that web interfaces and uv keep beside them.
    venv("somewhere/venv");
    assert_eq!(finds(&[shell.as_os_str()], &[]), "PyTorch 2.4.1");
    venv("project/.venv");
    let uv = script(&root, "uv", "#!/bin/sh");
    fs::create_dir_all(root.join("project/src")).unwrap();
    let run = [uv.as_os_str(), os("run"), os("train.py")];
    assert_eq!(framework_of(&installed, &root.join("project/src"), &run, &[]), "PyTorch 2.4.1");
    assert!(framework_of(&installed, &root, &run, &[]).is_null());
}

/// What rmcp-run says of this command on a machine with an RX 6800, where PyTorch's Python is in PATH. It runs nothing.
#[test]
fn a_web_interface_is_known_by_its_folder_and_its_python_is_that_of_the_environment_beside_it() {
    let installed = Installed::new();
    let root = installed.root();
    let home = root.join("ComfyUI");
    let python = venv_with_pytorch(&root, "ComfyUI/venv").join("bin/python");
    let elsewhere = venv_with_pytorch(&root, "other/venv").join("bin/python");
    for file in ["main.py", "nodes.py", "comfy/model_management.py"] {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), "").unwrap();
    }
    let shell = script(&root, "ComfyUI/start.sh", "#!/bin/sh");
    let main = home.join("main.py");
    let (word, other) = (OsStr::new("main.py"), OsStr::new("other.py"));
    for (folder, command, expected) in [
        (&home, vec![elsewhere.as_os_str(), word], "ComfyUI with PyTorch 2.4.1"),
        (&root, vec![elsewhere.as_os_str(), main.as_os_str()], "ComfyUI with PyTorch 2.4.1"),
        (&root, vec![shell.as_os_str()], "ComfyUI with PyTorch 2.4.1"),
        (&root, vec![python.as_os_str()], "ComfyUI with PyTorch 2.4.1"),
        (&root, vec![elsewhere.as_os_str(), word], "PyTorch 2.4.1"),
        (&root, vec![elsewhere.as_os_str(), other, main.as_os_str()], "PyTorch 2.4.1"),
    ] {
        assert_eq!(framework_of(&installed, folder, &command, &[]), expected, "{command:?} in {}", folder.display());
    }
}

fn dry_run_stderr(installed: &Installed, command: &[&str]) -> String {
    let bin = installed.root().join("venv/bin");
    if !bin.exists() {
        venv_with_pytorch(&installed.root(), "venv");
        for name in ["mylauncher", "uv", "sudo"] {
            script(&installed.root(), &format!("venv/bin/{name}"), "#!/bin/true");
        }
    }
    let path = std::env::join_paths([bin.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let output = installed.on(&[100_300], [&["-n"], command].concat()).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stderr(&output).replace(installed.root().to_str().unwrap(), "ROOT")
}

#[test]
fn where_it_is_not_known_what_runs_one_line_says_that_recipes_were_not_applied() {
    let installed = Installed::new();
    let missed = "rmcp-run: recipes that depend on the program were not applied: ";
    for (command, why) in [
        (
            &["env", "--wat", "python3"][..],
            "what env starts after its option --wat is not known here; put rmcp-run before the program itself\n",
        ),
        (
            &["sh", "-c", "cd / && python3 train.py"],
            "a shell runs more than one plain command there; put rmcp-run before the program itself\n",
        ),
        (
            &["mylauncher", "-v", "python3", "train.py"],
            "whether mylauncher starts python3 is not known here; put rmcp-run before the program itself\n",
        ),
        (
            &["uv", "run", "--with", "x", "train.py"],
            "which Python environment uv run takes cannot be told before it runs; write `uv run --with x rmcp-run python train.py`\n",
        ),
    ] {
        assert_eq!(dry_run_stderr(&installed, command), format!("{missed}{why}"), "{command:?}");
    }
    // These start no program that a recipe knows of.
    for command in [
        &["sh", "-c", "echo $HOME; ls | sort"][..],
        &["ls", "-l", "sort"],
        &["mylauncher", "--python3"],
        &["python3", "mylauncher", "python3"],
        &["timeout", "5", "python3", "train.py"],
        &["uv", "pip", "install", "python3"],
    ] {
        assert_eq!(dry_run_stderr(&installed, command), "", "{command:?}");
    }
}

#[test]
fn a_launcher_that_keeps_rmcp_out_runs_with_its_environment_and_a_word_on_what_to_write() {
    let installed = Installed::new();
    let outside =
        "starts its program without this environment: RMCP cannot reach it, so it runs with its environment unchanged";
    for (command, launcher, write) in [
        (
            &["sudo", "-u", "ada", "python3", "train.py"][..],
            "ROOT/venv/bin/sudo",
            "sudo -u ada rmcp-run python3 train.py",
        ),
        (&["nice", "sudo", "python3"], "ROOT/venv/bin/sudo", "nice sudo rmcp-run python3"),
        (&["env", "-i", "python3"], "/usr/bin/env", "env -i rmcp-run python3"),
    ] {
        assert_eq!(
            dry_run_stderr(&installed, command),
            format!("rmcp-run: {launcher} {outside}; write `{write}`\n"),
            "{command:?}"
        );
    }
    let output = installed.run(["env", "-i", "/bin/sh", "-c", "echo ran ${LD_PRELOAD-without}"]);
    assert_eq!(stdout(&output), "ran without\n");
}

#[test]
fn what_a_launcher_sets_is_the_users() {
    let installed = Installed::new();
    let over = "HSA_OVERRIDE_GFX_VERSION";
    let run = |set: &str| {
        let script = format!("printenv {over}");
        let output = installed.on(&[100_300], ["env", set, "sh", "-c", &script]).output().unwrap();
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    let (value, line) = run(&format!("{over}=11.0.0"));
    assert_eq!(value, "11.0.0\n");
    let harmful =
        format!("rmcp-run: {over}=11.0.0 is harmful on gfx1030 at 0000:01:00.0, and set after rmcp-run, which cannot");
    assert!(line.starts_with(&harmful), "{line}");
    let explained = |set: &str| stdout(&installed.run(["-n", "-v", "env", set, "true"]));
    assert!(explained("RMCP_DISABLE=1").contains("RMCP: inactive, RMCP_DISABLE is set\n"));
    assert!(!explained("RMCP_DISABLE=0").contains("inactive"));
}

#[test]
fn sections_and_exclude_go_by_what_runs_behind_scripts_and_launchers() {
    let installed = Installed::new();
    let python = venv_with_pytorch(&installed.root(), "venv").join("bin/python");
    let tool = script(&installed.root(), "tool", &format!("#!{}", python.display()));
    let tool = tool.to_str().unwrap();
    let file = installed.root().join("rmcp.toml");
    for (exclude, command, inactive) in [
        ("python", &[tool][..], true),
        ("python", &["env", "A=b", tool], true),
        ("python", &["timeout", "5", "sh", "-c", &format!("exec {tool}")], true),
        ("tool", &[tool], false),
        ("env", &["env", tool], false),
        ("timeout", &["timeout", "5", tool], false),
        ("env", &["env", "--wat", tool], true),
    ] {
        fs::write(&file, format!("exclude = [{exclude:?}]\n")).unwrap();
        let mut run = installed.on(&[100_300], [&["-n", "-v"], command].concat());
        let text = stdout(&run.env("RMCP_CONFIG", &file).output().unwrap());
        assert_eq!(text.contains("RMCP: inactive"), inactive, "{exclude}: {command:?}: {text}");
    }
}
