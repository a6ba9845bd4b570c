//! The table as text: the documentation page, the commented file, the help.

use super::table::{Kind, Options, Row, Scope, TABLE};
use std::fmt::Write;

/// `docs/options.md`.
pub fn markdown() -> String {
    let defaults = Options::default();
    let mut page = String::from(PAGE_HEAD);
    for row in TABLE {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n\n{}\n\n", row.name, row.help());
        match row.kind {
            Kind::Word(choices) => {
                for choice in choices {
                    let default = if row.get(&defaults) == quoted(choice.word) { " (default)" } else { "" };
                    let _ = writeln!(page, "- `{}`{default}: {}", choice.word, choice.what);
                }
            }
            Kind::Fraction | Kind::Path | Kind::List => {
                let _ = writeln!(page, "Takes {}. Default: `{}`.", row.allowed(), row.get(&defaults));
            }
        }
        let place = match row.scope {
            Scope::System => "In the section `[system]` of a file alone.".into(),
            Scope::Call | Scope::Process => {
                format!("In a file: `{} = {}`. In the environment: `{}`.", row.name, example(row), row.env())
            }
        };
        let place = match row.scope {
            Scope::Call => format!("{place} In the section of a library too."),
            Scope::System | Scope::Process => place,
        };
        let _ = writeln!(page, "\n{place}");
        let more = &row.doc[1..];
        if !more.is_empty() {
            page.push('\n');
            more.iter().skip_while(|line| line.is_empty()).for_each(|line| page.extend([unindented(line), "\n"]));
        }
    }
    page
}

/// `config/rmcp.toml`: every option at its default, commented out.
pub fn config_file() -> String {
    let defaults = Options::default();
    let (system, general): (Vec<_>, Vec<_>) = TABLE.iter().partition(|row| row.scope == Scope::System);
    let line = |row: &&Row| {
        format!("\n# {}\n# Takes: {}\n#{} = {}\n", row.help(), row.allowed(), row.name, row.get(&defaults))
    };
    let lines = |rows: Vec<&Row>| rows.iter().map(line).collect::<String>();
    [FILE_HEAD, &lines(general), FILE_SYSTEM, &lines(system), FILE_TAIL].concat()
}

/// The options that a command line sets, for `--help`.
pub fn usage() -> String {
    let defaults = Options::default();
    let width = TABLE.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in TABLE.iter().filter(|row| row.scope != Scope::System) {
        let _ = writeln!(text, "  {:width$}  {}", row.name, row.help());
        let _ = writeln!(text, "  {:width$}  {} [default: {}]", "", row.allowed(), row.get(&defaults));
    }
    text
}

/// A value to show where the syntax matters.
fn example(row: &Row) -> String {
    match row.kind {
        Kind::Word(choices) => quoted(choices[0].word),
        Kind::Fraction => "0.9".into(),
        Kind::Path => quoted("/path"),
        Kind::List => format!("[{}, {}]", quoted("Xorg"), quoted("/usr/bin/blender")),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Doc comments begin with one space.
fn unindented(line: &'static str) -> &'static str {
    line.strip_prefix(' ').unwrap_or(line)
}

const PAGE_HEAD: &str = "\
<!-- Generated from src/domain/options/table.rs by `cargo xtask generate`. -->
# Options

Every option can be set in a file and in the environment. From weak to strong:

1. the defaults below;
2. `/etc/rmcp.toml`;
3. `$XDG_CONFIG_HOME/rmcp/config.toml`, usually `~/.config/rmcp/config.toml`;
4. the sections `[system]` of these files, in the same order, in programs that have RMCP from `rmcp enable --system`;
5. the sections of these files that name the running program, in the same order;
6. environment variables: `RMCP_` and the option's name in capitals.

`RMCP_CONFIG=/some/file.toml` takes the place of both files; `RMCP_CONFIG=` (empty) means no file at all.
`RMCP_DISABLE=1` switches RMCP off before any file is read. Processes with elevated privileges (setuid) read neither
files nor environment, and RMCP is inactive in them.

A section is for one program:

```toml
host = \"noncoherent\"

[program.\"python3\"]
log = \"info\"

[program.\"/opt/app/bin/solver\"]
host = \"keep\"
```

A name with a slash is the full path of the executable, or the path by which it was called. Any other name is the file
name of either: a script started by `python3` runs in `/usr/bin/python3.11` and is met by `python3` and by
`python3.11`. Where several sections meet a program, a full path is stronger than a name.

The section `[system]` is for programs that have RMCP because [every process of the machine](system.md) has it:

```toml
[system]
only = [\"python3\", \"/opt/app/bin/solver\"]
log = \"warn\"
```

Any option may stand there, and `only` and `callers` nowhere else; `RMCP_ONLY` is refused. In a program that `rmcp-run` has started, or
LD_PRELOAD gave RMCP, the section is not in force, on such a machine too: there RMCP was asked for. What counts is the place
of the library, below `/usr/lib/rmcp/system`; so a line that somebody wrote into `/etc/ld.so.preload` by hand, for a
librmcp.so elsewhere, is like LD_PRELOAD.

A section of a library is for the calls that it makes, in whatever program:

```toml
[library.\"libexample\"]
host = \"keep\"
```

The name is that of its file up to `.so`: `libexample` meets `libexample.so.1` and, as wheels rename it,
`libexample-1a2b3c4d.so.1`; `*` stands for any text, and with folders, as in `\"cupy/cuda/common\"`, the file's path must end
so. Such a section is stronger than all of the above, and than what is [known of libraries](libraries.md); `policy`
stands above it. It takes the options that are decided call by call; each says so below.

A file counts only if nobody can have written it but root and the user whom the process runs as: a regular file that
belongs to one of them, and that no other user and no other group may write (a group with the number of the owner is the
owner's own). So a program that root starts with another user's HOME does not read that user's file. Which folder it lies in,
and by which links it is reached, does not matter. In a user namespace that has no root, root is who owns `/`. Whatever runs
a program as several users wants its options in `/etc/rmcp.toml`.

A file of options has at most 64 KiB, and brackets or the parts of a key are nested at most 4 deep.

What cannot be read falls to the layer below: an unknown key or value is ignored by itself, a file that does not count, is too
large, too deep or has a syntax error as a whole. The first five of such things leave one line each in the log
(`RMCP_LOG=warn`) that names file, line, key and the allowed values, and one says how many more there are.
[`rmcp config check`](config.md) tells all, what was probably meant, and which variables are misspelt: in a program RMCP asks
for the variables of this page by their names, and never looks through the environment, which another thread may be changing.
";

const FILE_HEAD: &str = "\
# RMCP's options and their defaults. Remove the # to change one; docs/options.md explains each.
# This file belongs at /etc/rmcp.toml or ~/.config/rmcp/config.toml.
# The environment is stronger than any file: RMCP_HOST=keep.
";

const FILE_SYSTEM: &str = "
# Options for programs that have RMCP from `rmcp enable --system`, any of those above and:
#[system]
";

const FILE_TAIL: &str = "
# Options for one program, by file name or full path:
#[program.\"python3\"]
#host = \"keep\"

# Options for the calls of one library, by its file's name:
#[library.\"libexample\"]
#host = \"keep\"
";
