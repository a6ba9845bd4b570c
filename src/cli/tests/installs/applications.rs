//! Applications by what lies in their folders.

use crate::machine::Files;
use rmcp_cli::installs::{Application, applications};

fn found(files: &Files) -> Vec<String> {
    let shown = |it: Application| format!("{} in {}", it.known.title, files.shown(&it.folder));
    applications(&files.machine()).into_iter().map(shown).collect()
}

/// A machine with these files, and these programs in PATH.
fn machine(paths: &[&str]) -> Files {
    let mut files = Files::new();
    files.set("HOME", "/home/ada");
    files.set("PATH", "/usr/local/bin:/usr/bin");
    for path in paths {
        files.write(path, "");
    }
    files
}

#[test]
fn each_application_is_known_by_its_folder_and_what_looks_like_it_is_not() {
    for (title, paths, without) in [
        (
            "Blender in /usr",
            vec!["/usr/bin/blender", "/usr/share/blender/4.5/scripts/addons_core/cycles/__init__.py"],
            "cycles",
        ),
        (
            "darktable in /usr/local",
            vec!["/usr/local/bin/darktable", "/usr/local/share/darktable/kernels/programs.conf"],
            "programs.conf",
        ),
        ("Ollama in /usr", vec!["/usr/bin/ollama", "/usr/lib/ollama/rocm/libggml-hip.so"], "libggml"),
        (
            "ComfyUI in /home/ada/ComfyUI",
            vec![
                "/home/ada/ComfyUI/main.py",
                "/home/ada/ComfyUI/nodes.py",
                "/home/ada/ComfyUI/comfy/model_management.py",
            ],
            "comfy/",
        ),
        (
            "InvokeAI in /home/ada/invokeai",
            vec!["/home/ada/invokeai/invokeai.yaml", "/home/ada/invokeai/.venv/pyvenv.cfg"],
            ".venv",
        ),
        (
            "AUTOMATIC1111's web UI or a fork of it in /home/ada/stable-diffusion-webui",
            vec![
                "/home/ada/stable-diffusion-webui/webui.py",
                "/home/ada/stable-diffusion-webui/launch.py",
                "/home/ada/stable-diffusion-webui/modules/shared.py",
            ],
            "launch.py",
        ),
    ] {
        assert_eq!(found(&machine(&paths)), [title]);
        let rest: Vec<&str> = paths.iter().copied().filter(|path| !path.contains(without)).collect();
        assert!(rest.len() < paths.len());
        assert_eq!(found(&machine(&rest)), [""; 0], "{title} without {without}");
    }
}

#[test]
fn a_program_of_another_name_in_the_same_folder_is_not_the_application() {
    let files = machine(&["/usr/bin/ollama", "/usr/bin/env", "/usr/lib/ollama/runner"]);
    let of = |program: &str| Application::of_program(&files.path(program)).map(|it| it.known.id);
    assert_eq!((of("/usr/bin/ollama"), of("/usr/bin/env"), of("/usr/bin/none")), (Some("ollama"), None, None));
}

#[test]
fn blender_is_found_behind_a_link_and_its_kernels_are_its_code() {
    let files = machine(&[]);
    let at = "/opt/blender-5.0-linux-x64";
    files.write(&format!("{at}/blender"), "");
    let kernels = files.write(&format!("{at}/5.0/scripts/addons_core/cycles/lib/kernel_gfx1030.fatbin.zst"), "");
    files.link("/usr/local/bin/blender", &format!("{at}/blender"));
    assert_eq!(found(&files), [format!("Blender in {at}")]);
    let blender = Application::of_program(&files.path("/usr/local/bin/blender")).unwrap();
    assert_eq!(blender.code_files(), [kernels.parent().unwrap()]);
}
