//! The JSON of every command, described: docs/schema/ and docs/reference/json.md come from it.

use super::{config, demo, detect, doctor, explain, inspect, run, selftest, system, trace, update_problems};
use crate::output::Report;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// A schema: the name of its file in docs/schema/, and what is in it.
pub struct ReportSchema {
    /// Such as `rmcp.detect/1`.
    pub name: &'static str,
    /// The JSON Schema.
    pub schema: Value,
}

/// Every schema. A command whose JSON is not here is found by the tests.
pub fn all() -> Vec<ReportSchema> {
    vec![
        report_schema::<detect::MachineReport>(),
        report_schema::<doctor::Diagnosis>(),
        report_schema::<update_problems::ProblemsTable>(),
        report_schema::<explain::Explanation>(),
        report_schema::<explain::HookList>(),
        report_schema::<explain::SaveAreas>(),
        report_schema::<inspect::Inspection>(),
        report_schema::<trace::report::TraceReport>(),
        report_schema::<config::EffectiveOptions>(),
        report_schema::<config::CheckReport>(),
        report_schema::<config::InitReport>(),
        report_schema::<system::SystemState>(),
        report_schema::<run::report::DryRun>(),
        report_schema::<demo::Flags>(),
        report_schema::<demo::Atomics>(),
        report_schema::<selftest::Tested>(),
    ]
}

/// The schema of a report in its envelope.
fn report_schema<R: Report>() -> ReportSchema {
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
    ReportSchema { name: R::SCHEMA, schema }
}

impl ReportSchema {
    /// The file below docs/schema/: `detect-1.json`.
    pub fn file(&self) -> String {
        format!("{}.json", self.name.trim_start_matches("rmcp.").replace('/', "-"))
    }

    /// The text of that file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.schema).unwrap_or_default() + "\n"
    }
}
