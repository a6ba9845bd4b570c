//! Files, sections and environment, and what becomes of mistakes in them.

mod libraries;
mod system;

use super::*;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// Files in a temporary directory, the strongest last, and an environment.
struct Case {
    dir: TempDir,
    sources: Sources,
}

impl Case {
    fn new() -> Self {
        let program = Program { exe: "/usr/bin/python3.11".into(), argv0: "python3".into() };
        let user = rustix::process::geteuid().as_raw();
        let sources = Sources { program: Some(program), user, all_complaints: true, ..Sources::default() };
        Self { dir: tempfile::tempdir().unwrap(), sources }
    }

    /// As in somebody's process, where time is short.
    fn in_process(mut self) -> Self {
        self.sources.all_complaints = false;
        self
    }

    fn file(mut self, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(format!("{}.toml", self.sources.files.len()));
        fs::write(&path, content).unwrap();
        self.sources.files.push(path);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn load(&self) -> Loaded {
        Options::load(&self.sources)
    }

    /// The options, of a configuration without mistakes.
    fn options(&self) -> Options {
        let loaded = self.load();
        assert_eq!(loaded.complaints, []);
        loaded.options
    }

    /// The complaints, as people read them, with the names of the files shortened.
    fn complaints(&self) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        self.load().complaints.iter().map(|complaint| complaint.to_string().replace(&dir, "")).collect()
    }
}

#[test]
fn nothing_set_is_the_default() {
    let case = Case::new();
    assert_eq!(case.options(), Options::default());
    assert_eq!(case.load().origin("host"), Some(&Origin::Default));
    assert_eq!(case.load().origin("hots"), None);
}

#[test]
fn a_missing_file_is_no_mistake() {
    let mut case = Case::new();
    case.sources.files.push("/nonexistent/rmcp.toml".into());
    assert_eq!(case.options(), Options::default());
}

#[test]
fn every_word_of_every_option_is_read_from_file_and_environment() {
    for row in TABLE.iter().filter(|row| row.scope != Scope::System) {
        let Kind::Word(choices) = row.kind else { continue };
        for choice in choices {
            let written = format!("{} = {:?}", row.name, choice.word);
            let case = || Case::new().env("AMD_OPT_FLUSH", "0");
            assert_eq!(row.get(&case().file(&written).options()), format!("{:?}", choice.word), "{written}");
            assert_eq!(row.get(&case().env(&row.env(), choice.word).options()), format!("{:?}", choice.word));
        }
    }
}

#[test]
fn paths_and_lists_are_read_from_file_and_environment() {
    let file =
        Case::new().file("log_file = '/tmp/a'\nexclude = ['Xorg', '/usr/bin/blender']\ntopology = '/t'").options();
    let env = Case::new().env("RMCP_LOG_FILE", "/tmp/a").env("RMCP_EXCLUDE", "Xorg::/usr/bin/blender");
    assert_eq!(file, env.env("RMCP_TOPOLOGY", "/t").options());
    assert_eq!(file.log_file, Some(PathBuf::from("/tmp/a")));
    assert_eq!(file.exclude, ["Xorg", "/usr/bin/blender"]);
    assert_eq!(Case::new().file("log_file = '/tmp/a'").env("RMCP_LOG_FILE", "").options().log_file, None);
}

#[test]
fn a_fraction_is_read_exactly_from_file_and_environment_and_written_back() {
    for (text, shown) in [
        ("0.9", "0.9"),
        ("1", "1.0"),
        ("1.0", "1.0"),
        ("0.000001", "1e-6"),
        ("0.999999", "0.999999"),
        ("9e-1", "0.9"),
        ("0.90000000000", "0.9"),
    ] {
        for line in [format!("vram_fraction = {text}"), format!("vram_fraction = \"{text}\"")] {
            let options = Case::new().file(&line).options();
            assert_eq!(options.vram_fraction.to_string(), shown, "{line}");
            let again = format!("vram_fraction = {}", row("vram_fraction").unwrap().get(&options));
            assert_eq!(Case::new().file(&again).options(), options, "{again}");
            assert_eq!(Case::new().env("RMCP_VRAM_FRACTION", text).options(), options, "{line}");
        }
    }
    for parts in 1..=1_000_000 {
        let text = format!("{}.{:06}", parts / 1_000_000, parts % 1_000_000);
        assert_eq!(text.parse::<Fraction>().unwrap().of(1_000_000), parts, "{text}");
    }
}

#[test]
fn what_is_no_fraction_is_refused() {
    for text in
        ["0", "-0.5", "1.000001", "0.0000001", "0.9999999", "90%", "0,9", "", "nan", "inf", "-inf", "1e300", "x"]
    {
        assert_eq!(text.parse::<Fraction>(), Err(NotAFraction(text.into())));
    }
    let case = Case::new().file("vram_fraction = 0.5").env("RMCP_VRAM_FRACTION", "90%");
    let line = "environment variable RMCP_VRAM_FRACTION: vram_fraction takes a number above 0 and up to 1 with at most \
                six decimals, not \"90%\"; it is ignored";
    assert_eq!(case.complaints(), [line]);
    assert_eq!(case.load().options.vram_fraction, "0.5".parse().unwrap());
    let case = Case::new().file("vram_fraction = 1.5\n").file("vram_fraction = nan").file("vram_fraction = [0.5]");
    assert_eq!(case.load().options, Options::default());
    assert_eq!(case.complaints().len(), 3);
}

#[test]
fn a_part_of_the_whole_is_rounded_down_and_all_of_it_is_all() {
    for whole in [0, 1, 999_999, 6 << 30, u64::MAX] {
        assert_eq!(Fraction::ALL.of(whole), whole);
        assert_eq!("0.5".parse::<Fraction>().unwrap().of(whole), whole / 2);
        assert_eq!("0.000001".parse::<Fraction>().unwrap().of(whole), whole / 1_000_000);
    }
}

#[test]
fn coarse_registered_memory_needs_system_fences_in_the_environment() {
    let case = || Case::new().file("\nregister = 'coarse'");
    assert_eq!(case().env("AMD_OPT_FLUSH", "0").options().register, Register::Coarse);
    assert_eq!(case().env("AMD_OPT_FLUSH", "1").env("AMD_OPT_FLUSH", "0").options().register, Register::Coarse);
    let line = "0.toml:2: register=coarse needs AMD_OPT_FLUSH=0 in the environment; it is ignored. Set that variable, or \
                start the program with rmcp-run";
    for case in [case(), case().env("AMD_OPT_FLUSH", "1"), case().env("AMD_OPT_FLUSH", "")] {
        assert_eq!(case.load().options, Options::default());
        assert_eq!(case.load().origin("register"), Some(&Origin::Default));
        assert_eq!(case.complaints(), [line]);
    }
}

#[test]
fn only_the_value_that_counts_needs_system_fences() {
    assert_eq!(Case::new().file("register = 'coarse'").env("RMCP_REGISTER", "keep").options().register, Register::Keep);
    assert_eq!(Case::new().file("[program.blender]\nregister = 'coarse'").options().register, Register::Keep);
    assert_eq!(Case::new().env("AMD_OPT_FLUSH", "0").options(), Options::default());
}

#[test]
fn later_files_are_stronger_and_the_environment_is_strongest() {
    let case = Case::new()
        .file("host = 'keep'\nmanaged = 'keep'\napu = 'patch'")
        .file("\nhost = 'force'\nmanaged = 'attach-host'");
    let case = case.env("RMCP_MANAGED", "coarse");
    let options = case.options();
    assert_eq!((options.host, options.managed, options.apu), (Host::Force, Managed::Coarse, Apu::Patch));
    let origin = |name| case.load().origin(name).unwrap().to_string();
    assert!(origin("host").ends_with("1.toml:2"), "{}", origin("host"));
    assert!(origin("apu").ends_with("0.toml:3"), "{}", origin("apu"));
    assert_eq!(origin("managed"), "environment variable RMCP_MANAGED");
    assert_eq!(origin("log"), "default");
}

#[test]
fn sections_meet_the_executable_and_the_name_it_was_called_by() {
    for name in ["python3", "python3.11", "/usr/bin/python3.11"] {
        let options = Case::new().file(format!("[program.{name:?}]\nhost = 'keep'")).options();
        assert_eq!(options.host, Host::Keep, "{name}");
    }
    for name in ["python", "bin/python3.11", "/usr/bin/python3", "PYTHON3", ""] {
        let options = Case::new().file(format!("[program.{name:?}]\nhost = 'keep'")).options();
        assert_eq!(options.host, Host::Noncoherent, "{name}");
    }
}

#[test]
fn a_section_is_stronger_than_the_general_part_of_any_file_and_a_path_than_a_name() {
    let case = Case::new().file("[program.python3]\nhost = 'keep'").file("host = 'force'\nmanaged = 'keep'");
    assert_eq!(case.options().host, Host::Keep);
    assert_eq!(case.options().managed, Managed::Keep);
    let both = "[program.'/usr/bin/python3.11']\nhost = 'force'\n[program.python3]\nhost = 'keep'";
    assert_eq!(Case::new().file(both).options().host, Host::Force);
    assert_eq!(Case::new().file(both).env("RMCP_HOST", "noncoherent").options().host, Host::Noncoherent);
}

#[test]
fn a_wrong_value_falls_to_the_layer_below_and_names_line_key_and_allowed_values() {
    let case = Case::new().file("host = 'force'").file("# mine\n\nhost = 'nonchoerent'");
    assert_eq!(case.load().options.host, Host::Force);
    let line = "1.toml:3: host takes keep, noncoherent, unmapped, force, not \"nonchoerent\" (did you mean noncoherent?); \
                it is ignored";
    assert_eq!(case.complaints(), [line]);
}

#[test]
fn a_wrong_value_in_the_environment_names_the_variable() {
    let case = Case::new().file("managed = 'keep'").env("RMCP_MANAGED", "1");
    assert_eq!(case.load().options.managed, Managed::Keep);
    let line = "environment variable RMCP_MANAGED: managed takes keep, coarse, attach-host, not \"1\"; it is ignored";
    assert_eq!(case.complaints(), [line]);
}

#[test]
fn an_unknown_key_is_one_line_and_the_rest_of_the_file_counts() {
    let case = Case::new().file("hots = 'keep'\nmanaged = 'keep'\n[programs.x]\nhost = 'keep'\n[program.x]\nzzz = 1");
    assert_eq!(case.load().options.managed, Managed::Keep);
    assert_eq!(
        case.complaints(),
        [
            "0.toml:1: there is no option \"hots\" (did you mean host?); it is ignored",
            "0.toml:6: there is no option \"zzz\"; it is ignored",
            "0.toml:3: there is no option \"programs\" (did you mean program?); it is ignored",
        ]
    );
}

#[test]
fn values_of_the_wrong_type_are_named() {
    let case =
        Case::new().file("host = 3\nmanaged = true\napu = ['keep']\nlog = { a = 1 }\nexclude = [1]\nprogram = 'x'");
    assert_eq!(case.load().options, Options::default());
    let complaints = case.complaints();
    assert_eq!(complaints.len(), 6, "{complaints:#?}");
    for (key, text) in [
        ("host", "1: host takes keep, noncoherent, unmapped, force, not \"3\""),
        ("managed", "2: managed takes keep, coarse, attach-host, not \"true\""),
        ("apu", "3: apu takes keep, patch, not [\"keep\"]"),
        ("log", "4: log takes off, error"),
        ("exclude", "5: exclude takes a list of program names"),
        ("program", "6: program is a section"),
    ] {
        assert!(complaints.iter().any(|line| line.contains(text)), "{key}: {complaints:#?}");
    }
}

#[test]
fn mistakes_in_the_sections_of_other_programs_are_named_too() {
    let case = Case::new().file("[program.blender]\nhost = 'off'\n[program]\nfirefox = 1");
    assert!(case.complaints()[0].starts_with("0.toml:"), "{:#?}", case.complaints());
}

#[test]
fn a_file_with_a_syntax_error_is_ignored_as_a_whole_and_names_the_line() {
    // Read on, the last line would count for every program.
    let case = Case::new().file("host = 'force'").file("managed = 'keep'\n[program.'x'\nhost = 'keep'\n");
    assert_eq!(case.load().options, Options { host: Host::Force, ..Options::default() });
    let complaints = case.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0].starts_with("1.toml:2: "), "{complaints:#?}");
    assert!(complaints[0].ends_with("; all of the file is ignored"), "{complaints:#?}");
    assert!(!complaints[0].contains('\n'));
}

#[test]
fn files_of_any_content_give_the_defaults_and_one_line() {
    let brackets = "[".repeat(60_000);
    let huge = "#".repeat(3 << 20);
    for content in
        [b"\xff\xfe".as_slice(), b"\0", b"=", b"[[program]]\n", b"host", brackets.as_bytes(), huge.as_bytes()]
    {
        let case = Case::new().file(content);
        assert_eq!(case.load().options, Options::default());
        assert_eq!(case.complaints().len(), 1, "{:#?}", case.complaints());
    }
}

#[test]
fn a_file_that_is_a_directory_or_endless_is_one_line() {
    for path in ["/", "/dev/zero"] {
        let mut case = Case::new();
        case.sources.files.push(path.into());
        let complaints = case.complaints();
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with(&format!("{path}: cannot be read")), "{complaints:#?}");
        assert_eq!(check(path.as_ref()).unwrap(), case.load().complaints);
    }
}

#[test]
fn nesting_that_no_option_needs_is_refused_before_the_parser_recurses() {
    let brackets = format!("\nexclude = {}{}", "[".repeat(79), "]".repeat(79));
    let tables = format!("\nlog = {}1{}", "{ a = ".repeat(5), " }".repeat(5));
    let key = format!("\n{}host = 1", "a.".repeat(5));
    for text in [brackets, tables, key, "\na = [[[[[".into()] {
        let line = "0.toml:2: nested more than 4 deep; all of the file is ignored";
        assert_eq!(Case::new().file(&text).complaints(), [line], "{text}");
    }
}

#[test]
fn brackets_and_dots_in_texts_and_comments_are_not_nesting() {
    let case =
        Case::new().file("# [[[[[[[[[ a.b.c.d.e.f.g.h.i.j.k\nexclude = ['[[[[[[[[[[', 'a.b.c.d.e.f.g.h.i.j.k', ']']");
    assert_eq!(case.options().exclude.len(), 3);
}

#[test]
fn a_process_is_told_a_handful_of_mistakes_and_how_many_more_there_are() {
    let text: String = (0..5000).map(|number| format!("hots{number} = 1\n")).collect();
    let loaded = Case::new().file(&text).in_process().load();
    assert_eq!((loaded.complaints.len(), loaded.more_complaints), (5, 4995));
    let loaded = Case::new().file(&text).load();
    assert_eq!((loaded.complaints.len(), loaded.more_complaints), (5000, 0));
}

#[test]
fn a_process_does_not_work_out_what_was_meant() {
    let case = Case::new().file("hots = 'keep'\nhost = 'kep'").env("RMCP_HOTS", "keep").in_process();
    assert_eq!(
        case.complaints(),
        [
            "0.toml:2: host takes keep, noncoherent, unmapped, force, not \"kep\"; it is ignored",
            "0.toml:1: there is no option \"hots\"; it is ignored",
        ]
    );
}

#[test]
fn a_long_key_or_value_is_shown_by_its_beginning() {
    let long = "x".repeat(50_000);
    let case = Case::new().file(format!("{long} = 1\nhost = '{long}'\nexclude = ['a', 1]\nmanaged = ['{long}']"));
    assert!(case.complaints().iter().all(|line| line.len() < 200), "{:#?}", case.complaints());
}

#[test]
fn a_file_that_others_may_have_written_is_ignored_and_says_why() {
    let case = Case::new().file("host = 'keep'");
    let everybodys = fs::Permissions::from_mode(0o666);
    fs::set_permissions(&case.sources.files[0], everybodys).unwrap();
    let why = "every user may write it: chmod go-w it";
    assert_eq!(case.complaints(), [format!("0.toml: cannot be read ({why}); all of it is ignored")]);
    assert_eq!(case.load().options, Options::default());
    assert_eq!(check(&case.sources.files[0]).unwrap().len(), 1);
}

#[test]
fn a_slip_in_a_variable_name_is_named_and_foreign_variables_are_not() {
    let case = Case::new().env("RMCP_HOTS", "keep").env("RMCP_EMULATED_GPU", "gfx1010").env("RMCP_DISABLE", "0");
    let case = case.env("RMCP_CONFIG", "").env("PATH", "/bin").env("rmcp_host", "keep");
    let line = "environment variable RMCP_HOTS: is no variable of RMCP (did you mean RMCP_HOST?)";
    assert_eq!(case.complaints(), [line]);
    assert_eq!(case.load().options, Options::default());
}

#[test]
fn an_assignment_is_an_option_and_a_value_of_it() {
    let (row, value) = assignment("host=keep").unwrap();
    assert_eq!((row.name, value.as_str()), ("host", "keep"));
    assert_eq!(assignment("log_file=/tmp/a=b").unwrap().1, "/tmp/a=b");
    for (text, error) in [
        ("host", "write it as option=value"),
        ("hots=keep", "there is no option \"hots\" (did you mean host?)"),
        (
            "host=nocoherent",
            "host takes keep, noncoherent, unmapped, force, not \"nocoherent\" (did you mean noncoherent?)",
        ),
    ] {
        assert_eq!(assignment(text).unwrap_err(), error);
    }
}

#[test]
fn rmcp_config_replaces_the_search_for_files() {
    let files = |set: &[(&str, &str)]| {
        let var = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        sources::files(var).into_iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(files(&[]), ["/etc/rmcp.toml"]);
    assert_eq!(files(&[("HOME", "/home/a")]), ["/etc/rmcp.toml", "/home/a/.config/rmcp/config.toml"]);
    assert_eq!(files(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")]), ["/etc/rmcp.toml", "/x/rmcp/config.toml"]);
    assert_eq!(files(&[("HOME", "a"), ("XDG_CONFIG_HOME", "x")]), ["/etc/rmcp.toml"]);
    assert_eq!(files(&[("HOME", "/home/a"), ("RMCP_CONFIG", "my.toml")]), ["my.toml"]);
    assert_eq!(files(&[("HOME", "/home/a"), ("RMCP_CONFIG", "")]), [""; 0]);
}

#[test]
fn rmcp_disable_is_anything_but_empty_and_0() {
    for (value, disabled) in
        [(None, false), (Some(""), false), (Some("0"), false), (Some("1"), true), (Some("yes"), true)]
    {
        assert_eq!(is_disabled(value.map(str::as_bytes)), disabled, "{value:?}");
    }
}

#[test]
fn this_process_has_sources() {
    for sources in [Sources::from_process(0), Sources::from_command()] {
        let program = sources.program.unwrap();
        assert!(program.is(program.exe.to_str().unwrap()));
        let rocms = ["AMD_OPT_FLUSH", "HIP_HOST_COHERENT", "HSA_DISABLE_CACHE"];
        let ours =
            |name: &OsStr| name.to_str().unwrap().starts_with("RMCP_") || rocms.iter().any(|rocms| name == *rocms);
        assert!(sources.environment.iter().all(|(name, _)| ours(name)));
    }
}
