//! The options, from the table of src/domain.

use rmcp_domain::options::{Kind, Options, Row, Scope, TABLE};

pub fn text() -> String {
    TABLE.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// One option: what it is, what it takes, where it is set, and more of it.
fn section(row: &Row) -> String {
    let default = row.get(&Options::default());
    let takes = match row.kind {
        Kind::Word(choices) => choices.iter().fold(String::new(), |list, choice| {
            let default = if default == quoted(choice.word) { " (default)" } else { "" };
            list + &format!("- `{}`{default}: {}\n", choice.word, choice.what)
        }),
        Kind::Fraction | Kind::Path | Kind::List => format!("Takes {}. Default: `{default}`.\n", row.allowed()),
    };
    let set = format!("In a file: `{} = {}`. In the environment: `{}`.", row.name, example(row), row.env());
    let place = match row.scope {
        Scope::System => "In the section `[system]` of a file alone.".into(),
        Scope::Call => format!("{set} In the section of a library too."),
        Scope::Process => set,
    };
    let mut text = format!("## {}\n\n{}\n\n{takes}\n{place}\n", row.name, row.help());
    let more = row.doc[1..].iter().skip_while(|line| line.is_empty());
    // A doc comment begins with one space.
    let more: String = more.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
    if !more.is_empty() {
        text += &format!("\n{more}");
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
