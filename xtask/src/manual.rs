//! Man pages and shell completions, from the commands' own command lines and the pages of docs/.

mod markdown;

use crate::run::root;
use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use rmcp_cli::commands::{self, completions};
use rmcp_cli::exit_status::{self, Meaning};
use rmcp_domain::options::{Options, Scope, TABLE, VARIABLES};
use rmcp_system::LIST;
use rmcp_system::rescue::USAGE;
use std::fs;
use std::path::Path;

/// A name and what it is, for a man page.
type Entry = (String, String);

/// Writes all of them below share/.
pub fn write(share: &Path) -> Result<()> {
    let save = |path: &str, text: &[u8]| {
        let path = share.join(path);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).with_context(|| path.display().to_string())
    };
    for (command, statuses) in [(commands::command(), exit_status::RMCP), (commands::run::command(), exit_status::RUN)]
    {
        let name = command.get_name().to_owned();
        for (path, shell) in [
            (format!("bash-completion/completions/{name}"), Shell::Bash),
            (format!("zsh/site-functions/_{name}"), Shell::Zsh),
            (format!("fish/vendor_completions.d/{name}.fish"), Shell::Fish),
        ] {
            save(&path, &completions::script(command.clone(), shell))?;
        }
        let mut command = command.disable_help_subcommand(true);
        command.build();
        for (name, page) in pages(&command, statuses)? {
            save(&format!("man/man1/{name}.1"), &page)?;
        }
    }
    let options = fs::read_to_string(root().join("docs/reference/options.md")).context("the chapter of the options")?;
    save("man/man5/rmcp.toml.5", &markdown::page("rmcp.toml", 5, "the options of RMCP", &options)?)?;
    save("man/man8/rmcp-rescue.8", &rescue()?)
}

/// The page of a command and those of its subcommands.
fn pages(command: &Command, statuses: &[Meaning]) -> Result<Vec<(String, Vec<u8>)>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut pages = vec![(name, page(command, statuses)?)];
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        // It ends as the program does that it runs.
        let statuses = if ["trace", "emulate"].contains(&subcommand.get_name()) { exit_status::RUN } else { statuses };
        pages.extend(self::pages(subcommand, statuses)?);
    }
    Ok(pages)
}

fn page(command: &Command, statuses: &[Meaning]) -> Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut page = Vec::new();
    title(name, 1).to_writer(&mut page)?;
    let man = Man::new(command.clone());
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some(examples) = help.strip_prefix("Examples:\n") {
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]).control("nf", []).text([roman(examples)]).control("fi", []);
        roff.to_writer(&mut page)?;
    }
    let others = (statuses == exit_status::RUN).then(|| ("any other".to_owned(), "the program's".to_owned()));
    let statuses = statuses.iter().map(|(status, meaning)| (status.to_string(), (*meaning).to_owned()));
    section(&mut page, "EXIT STATUS", statuses.chain(others))?;
    section(&mut page, "ENVIRONMENT", environment())?;
    section(&mut page, "FILES", FILES.map(owned))?;
    see_also(&mut page)?;
    Ok(page)
}

/// A page's first line, without a date: it would be that of the build.
fn title(name: &str, section: u8) -> Roff {
    let mut roff = Roff::new();
    roff.control("TH", [name, &section.to_string(), "\"\"", concat!("rmcp ", env!("CARGO_PKG_VERSION")), "RMCP"]);
    roff
}

/// The page of rmcp-rescue, from its help.
fn rescue() -> Result<Vec<u8>> {
    let mut parts = USAGE.trim_end().split("\n\n");
    let mut part = || parts.next().context("the help of rmcp-rescue has three parts");
    let (about, lines, commands) = (part()?, part()?, part()?);
    let mut roff = title("rmcp-rescue", 8);
    roff.control("SH", ["NAME"]).text([roman(format!("rmcp-rescue - {}", about.trim_end_matches('.')))]);
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.trim_start_matches("usage:").trim_start())]);
    }
    roff.control("fi", []).control("SH", ["DESCRIPTION"]).text([roman(DESCRIPTION)]);
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    let entries = commands.lines().filter_map(|line| line.trim_start().split_once(' '));
    section(&mut page, "COMMANDS", entries.map(|(name, what)| (name.to_owned(), what.trim_start().to_owned())))?;
    section(
        &mut page,
        "EXIT STATUS",
        [("0", "done"), ("1", "it failed"), ("2", "the command line is wrong")].map(owned),
    )?;
    section(&mut page, "FILES", FILES.into_iter().filter(|(path, _)| *path == LIST).map(owned))?;
    see_also(&mut page)?;
    Ok(page)
}

fn owned((name, what): (&str, &str)) -> Entry {
    (name.to_owned(), what.to_owned())
}

fn see_also(page: &mut Vec<u8>) -> Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let pages = [("rmcp", "(1), "), ("rmcp-run", "(1), "), ("rmcp.toml", "(5), "), ("rmcp-rescue", "(8)")];
    roff.text(pages.into_iter().flat_map(|(name, section)| [bold(name), roman(section)]).collect::<Vec<_>>());
    Ok(roff.to_writer(page)?)
}

fn section(page: &mut Vec<u8>, title: &str, entries: impl IntoIterator<Item = Entry>) -> Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, what) in entries {
        roff.control("TP", []).text([bold(name)]).text([roman(what)]);
    }
    Ok(roff.to_writer(page)?)
}

/// The options as variables, and the variables that are no options.
fn environment() -> Vec<Entry> {
    let defaults = Options::default();
    let option = |row: &rmcp_domain::options::Row| {
        let what = format!("{} Takes {}; default {}.", row.help(), row.allowed(), row.get(&defaults));
        (row.env(), what.replace('`', ""))
    };
    let others = VARIABLES.map(owned);
    let colours =
        ("NO_COLOR, CLICOLOR_FORCE".to_owned(), "Never colours; colours even away from a terminal.".to_owned());
    TABLE.iter().filter(|row| row.scope != Scope::System).map(option).chain(others).chain([colours]).collect()
}

const DESCRIPTION: &str = "\
A library in /etc/ld.so.preload that cannot be loaded ends every program that a loader starts. rmcp-rescue is linked \
statically, so that no loader is asked: it runs where nothing else does, from a shell that is still open, with chroot from \
another system, or as the first process of a boot: init=/usr/lib/rmcp/rmcp-rescue on the kernel's command line.";

const FILES: [(&str, &str); 4] = [
    ("/etc/rmcp.toml", "The machine's options; rmcp config init --system writes one to begin with."),
    (
        "~/.config/rmcp/config.toml",
        "The user's options, which are stronger; rmcp config init writes one to begin with.",
    ),
    (LIST, "The libraries that every process loads; rmcp enable --system adds RMCP."),
    ("../lib/rmcp/librmcp.so", "The library, from the folder of the command."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::path::PathBuf;
    use std::process;

    fn written() -> (tempfile::TempDir, PathBuf) {
        let share = tempfile::tempdir().unwrap();
        write(share.path()).unwrap();
        let path = share.path().to_owned();
        (share, path)
    }

    /// What a checker says of a file; None where there is no such program and CI does not ask for it.
    fn faults(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
        match process::Command::new(program).args(arguments).arg(file).output() {
            Ok(output) => Some(
                format!("{:?} {}", output.status.code(), String::from_utf8_lossy(&output.stdout))
                    + &String::from_utf8_lossy(&output.stderr),
            ),
            Err(why) if std::env::var_os("CI").is_some() => panic!("{program}: {why}"),
            Err(why) => {
                eprintln!("SKIPPED: {program}: {why}");
                None
            }
        }
    }

    #[test]
    fn every_command_has_a_man_page_without_faults() {
        let (_share, path) = written();
        let pages = |section| fs::read_dir(path.join("man").join(section)).unwrap().map(|page| page.unwrap().path());
        let pages: Vec<PathBuf> = ["man1", "man5", "man8"].into_iter().flat_map(pages).collect();
        let names: Vec<_> = pages.iter().filter_map(|page| page.file_stem().and_then(OsStr::to_str)).collect();
        for name in ["rmcp", "rmcp-run", "rmcp-detect", "rmcp-config", "rmcp-config-check", "rmcp.toml", "rmcp-rescue"]
        {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        for page in &pages {
            // Its warnings are about clap_mangen's empty lines.
            let Some(faults) = faults("mandoc", &["-T", "lint", "-W", "error"], page) else { return };
            assert_eq!(faults, "Some(0) ", "{}", page.display());
        }
    }

    #[test]
    fn the_man_pages_say_what_the_tables_say() {
        let (_share, path) = written();
        let page = fs::read_to_string(path.join("man/man1/rmcp-run.1")).unwrap().replace('\\', "");
        for expected in ["RMCP_HOST", "RMCP_DISABLE", "/etc/rmcp.toml", "127", "there is no such program"] {
            assert!(page.contains(expected), "{expected}");
        }
        for row in TABLE {
            assert_eq!(page.contains(&row.env()), row.scope != Scope::System, "{}", row.name);
        }
    }

    #[test]
    fn the_page_of_rmcp_rescue_says_what_its_help_says() {
        let page = String::from_utf8(rescue().unwrap()).unwrap().replace('\\', "");
        for line in USAGE.lines().filter(|line| line.contains("rmcp-rescue ")) {
            assert!(page.contains(line.trim_start_matches("usage:").trim_start()), "{line}: {page}");
        }
        for line in USAGE.lines().filter(|line| line.starts_with("  ") && !line.contains("rmcp-rescue ")) {
            let (name, what) = line.trim_start().split_once(' ').unwrap();
            assert!(page.contains(&format!("fB{name}fR\n{}", what.trim_start())), "{line}: {page}");
        }
    }

    #[test]
    fn the_page_of_the_options_has_each_with_its_text() {
        let (_share, path) = written();
        let page = fs::read_to_string(path.join("man/man5/rmcp.toml.5")).unwrap().replace('\\', "");
        for row in TABLE {
            let heading = format!(".SH {}\n", row.name);
            assert!(page.contains(&heading), "{}", row.name);
        }
        assert!(!page.contains('`') && !page.contains("]("), "{page}");
    }

    #[test]
    fn the_completions_are_valid_for_their_shells() {
        let (_share, path) = written();
        for (shell, argument, file) in [
            ("bash", "-n", "bash-completion/completions/rmcp"),
            ("bash", "-n", "bash-completion/completions/rmcp-run"),
            ("zsh", "-n", "zsh/site-functions/_rmcp"),
            ("zsh", "-n", "zsh/site-functions/_rmcp-run"),
            ("fish", "-n", "fish/vendor_completions.d/rmcp.fish"),
            ("fish", "-n", "fish/vendor_completions.d/rmcp-run.fish"),
        ] {
            if let Some(faults) = faults(shell, &[argument], &path.join(file)) {
                assert_eq!(faults, "Some(0) ", "{file}");
            }
        }
    }
}
