//! The JSON of every command, described: docs/schema/ and docs/json.md come from here.

use super::{config, demo, detect, explain, inspect, run, selftest, system, trace};
use crate::output::Report;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A schema: the name of its file in docs/schema/, and what is in it.
pub struct Described {
    /// Such as `rmcp.detect/1`.
    pub name: &'static str,
    /// The JSON Schema.
    pub schema: Value,
}

/// Every schema. A command whose JSON is not here is found by the tests.
pub fn all() -> Vec<Described> {
    vec![
        of::<detect::Found>(),
        of::<explain::Explanation>(),
        of::<explain::Hooked>(),
        of::<inspect::Inspection>(),
        of::<trace::report::Traced>(),
        of::<config::Shown>(),
        of::<config::Checked>(),
        of::<config::Written>(),
        of::<system::State>(),
        of::<run::report::DryRun>(),
        of::<demo::Flags>(),
        of::<demo::Atomics>(),
        of::<selftest::Tested>(),
    ]
}

/// The schema of a report in its envelope.
fn of<R: Report>() -> Described {
    // In one piece, so that a path through it is a path through the JSON.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<R>().to_value();
    let envelope = [
        ("schema", json!({"description": "Whose JSON this is, and its version.", "const": R::SCHEMA})),
        ("rmcp", json!({"description": "The version of the command.", "type": "string"})),
    ];
    if let Some(properties) = schema["properties"].as_object_mut() {
        let report = std::mem::take(properties);
        properties.extend(envelope.clone().map(|(name, what)| (name.to_owned(), what)));
        properties.extend(report);
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend(envelope.map(|(name, _)| name.into()));
    }
    Described { name: R::SCHEMA, schema }
}

impl Described {
    /// The file below docs/schema/: `detect-1.json`.
    pub fn file(&self) -> String {
        format!("{}.json", self.name.trim_start_matches("rmcp.").replace('/', "-"))
    }

    /// The text of that file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.schema).unwrap_or_default() + "\n"
    }

    /// Its part of docs/json.md.
    fn markdown(&self) -> String {
        let about = self.schema["description"].as_str().unwrap_or_default();
        let mut page = format!("\n## {}\n\n{about} [Schema](schema/{}).\n\n", self.name, self.file());
        page += "| field | type | what |\n|---|---|---|\n";
        rows(&mut page, "", &self.schema);
        page
    }
}

/// `docs/json.md`.
pub fn markdown() -> String {
    all().iter().fold(PAGE_HEAD.to_owned(), |page, described| page + &described.markdown())
}

/// One row for each field of an object, those inside it after it.
fn rows(page: &mut String, path: &str, schema: &Value) {
    let none = Map::new();
    for (name, field) in schema["properties"].as_object().unwrap_or(&none) {
        if path.is_empty() && (name == "schema" || name == "rmcp") {
            continue;
        }
        let path = format!("{path}{name}");
        let what = field["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{path}` | {} | {what} |", type_name(field));
        let inner = some(field);
        rows(page, &format!("{path}."), inner);
        if inner["type"] == "array" || inner["items"].is_object() {
            rows(page, &format!("{path}[]."), some(&inner["items"]));
        }
    }
}

/// What an optional field is when it is there.
fn some(schema: &Value) -> &Value {
    let choices = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    choices.iter().find(|choice| choice["type"] != "null").unwrap_or(schema)
}

fn type_name(schema: &Value) -> String {
    let words = |values: &Vec<Value>| {
        let word = |value: &Value| value["const"].as_str().map(|word| format!("\"{word}\""));
        values.iter().filter_map(word).collect::<Vec<_>>().join(", ")
    };
    if let Some(choices) = schema["oneOf"].as_array() {
        return words(choices);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(type_name).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("array of {}", type_name(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let one = |name: &Value| type_name(&json!({"type": name, "items": schema["items"]}));
            names.iter().map(one).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".into(),
    }
}

const PAGE_HEAD: &str = "\
<!-- Generated from the reports in src/cli by `cargo xtask generate`. -->
# JSON

Every command that reports something takes `--json` and then prints one JSON object to standard output. Errors go to
standard error as text, with the same exit status as without `--json`.

Each object begins with `schema`, its name and version such as `rmcp.detect/1`, and `rmcp`, the version of the command.
The version of a schema rises when a field goes away or changes its meaning. New fields may come without that, so a
program must ignore fields that it does not know.

Sizes are in bytes. Null means that it is not known or not there, unless the field says otherwise.
";
