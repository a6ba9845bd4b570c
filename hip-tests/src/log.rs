//! What the emulator saw, call by call.

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;

/// One thing that reached the kernel boundary.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `alloc`, `free`, `map`, `unmap`, `svm`, `queue`, ...
    pub kind: String,
    /// The mark it came under; empty before the first.
    pub mark: String,
    /// Everything the emulator wrote of it. Addresses are replaced by names, so that runs compare.
    pub fields: Map<String, Value>,
}

/// The events of one run, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Marks are not among them.
    pub events: Vec<Event>,
}

impl Event {
    /// Whether the event has this flag, such as `COHERENT`.
    pub fn has(&self, flag: &str) -> bool {
        self.flags().any(|name| name == flag)
    }

    /// Its flags.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.fields.get("flags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Its size in bytes; 0 where it has none.
    pub fn size(&self) -> u64 {
        self.fields.get("size").and_then(Value::as_u64).unwrap_or(0)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} {}", self.mark, self.kind, Value::Object(self.fields.clone()))
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl Log {
    /// Reads the emulator's lines of JSON.
    ///
    /// # Errors
    /// When a line is not an object with an `event`.
    pub fn parse(text: &str) -> Result<Log> {
        let mut events = Vec::new();
        let mut mark = String::new();
        let mut names = Names::default();
        for line in text.lines() {
            let fields: Map<String, Value> =
                serde_json::from_str(line).with_context(|| format!("the emulator's log line `{line}`"))?;
            let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
            let kind = text("event").with_context(|| format!("no event in `{line}`"))?;
            if kind == "mark" {
                mark = text("label").unwrap_or_default();
                continue;
            }
            let mut fields = fields;
            fields.remove("event");
            fields.iter_mut().for_each(|(key, value)| names.replace(key, value));
            events.push(Event { kind, mark: mark.clone(), fields });
        }
        Ok(Log { events })
    }

    /// The events under a mark.
    pub fn under(&self, mark: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.mark == mark).collect()
    }

    /// The allocations under a mark.
    pub fn allocations(&self, mark: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.mark == mark && event.kind == "alloc").collect()
    }

    /// The one allocation under a mark.
    ///
    /// # Panics
    /// When there are none or several: then the test has to say which it means.
    pub fn allocation(&self, mark: &str) -> &Event {
        match self.allocations(mark).as_slice() {
            [one] => one,
            other => panic!("{} allocations under {mark}, expected one:\n{self}", other.len()),
        }
    }
}

/// Addresses by order of appearance: they differ from run to run, what they name does not.
#[derive(Default)]
struct Names {
    seen: HashMap<u64, usize>,
}

impl Names {
    fn replace(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Number(number) if ADDRESSES.contains(&key) => {
                let address = number.as_u64().unwrap_or_default();
                let next = self.seen.len();
                let name = self.seen.entry(address).or_insert(next);
                *value = Value::String(format!("#{name}"));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(key, value)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| self.replace(key, value)),
            _ => {}
        }
    }
}

/// The fields that hold an address or a handle.
const ADDRESSES: [&str; 6] = ["va", "address", "start", "handle", "offset", "mmap_offset"];
