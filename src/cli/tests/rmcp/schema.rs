//! The schemas in docs/schema/, and whether a JSON is as one of them says. Stricter than JSON Schema: what the page does
//! not name may not be there.

use crate::machine::repository;
use serde_json::Value;
use std::fs;

/// Checks a JSON against the schema that it names.
pub fn assert_described(value: &Value) {
    let name = value["schema"].as_str().unwrap_or_else(|| panic!("no schema is named: {value}"));
    let file = format!("docs/schema/{}.json", name.trim_start_matches("rmcp.").replace('/', "-"));
    let text = fs::read_to_string(repository().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    if let Err(fault) = check(value, &schema, "") {
        panic!("{file}: {fault}\n{value:#}");
    }
}

fn check(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let fits = choices.iter().filter(|choice| check(value, choice, path).is_ok()).count();
        return if fits == 1 { Ok(()) } else { Err(format!("{path} fits {fits} of {choices:?}: {value}")) };
    }
    if let Some(only) = schema.get("const") {
        return if value == only { Ok(()) } else { Err(format!("{path} is {value}, not {only}")) };
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) { Ok(()) } else { Err(format!("{path} is {value}, none of {words:?}")) };
    }
    let types: Vec<&Value> = match &schema["type"] {
        Value::Array(types) => types.iter().collect(),
        one => vec![one],
    };
    let mine = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.iter().any(|name| *name == mine || (*name == "number" && mine == "integer")) {
        return Err(format!("{path} is {value}, not {types:?}"));
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| check(item, &schema["items"], &format!("{path}[{i}]")))
        }
        Value::Object(fields) => {
            let missing = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            if let Some(name) = missing.into_iter().find(|name| !fields.contains_key(*name)) {
                return Err(format!("{path}.{name} is missing"));
            }
            fields.iter().try_for_each(|(name, field)| {
                // A map from any name to values of one kind.
                let inner = schema["properties"].get(name).or(schema.get("additionalProperties"));
                check(field, inner.ok_or(format!("{path}.{name} is not described"))?, &format!("{path}.{name}"))
            })
        }
        _ => Ok(()),
    }
}
