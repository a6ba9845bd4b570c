//! The fields of every JSON, from the schemas.

use generated_text::table;
use rmcp_cli::commands::schema::{self, ReportSchema};
use serde_json::{Map, Value, json};

pub fn text() -> String {
    schema::all().iter().map(section).collect::<Vec<_>>().join("\n")
}

fn section(described: &ReportSchema) -> String {
    let about = described.schema["description"].as_str().unwrap_or_default();
    let mut fields = Vec::new();
    rows(&mut fields, "", &described.schema);
    let (name, file) = (described.name, described.file());
    format!("## {name}\n\n{about} [Schema](../schema/{file}).\n\n{}", table(["field", "type", "what"], fields))
}

/// One row for each field of an object, those inside it after it.
fn rows(fields: &mut Vec<[String; 3]>, path: &str, schema: &Value) {
    let none = Map::new();
    for (name, field) in schema["properties"].as_object().unwrap_or(&none) {
        if path.is_empty() && (name == "schema" || name == "rmcp") {
            continue;
        }
        let path = format!("{path}{name}");
        let what = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        fields.push([format!("`{path}`"), type_name(field), what]);
        let inner = some(field);
        rows(fields, &format!("{path}."), inner);
        if inner["type"] == "array" || inner["items"].is_object() {
            rows(fields, &format!("{path}[]."), some(&inner["items"]));
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
