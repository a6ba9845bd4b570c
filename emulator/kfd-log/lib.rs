//! What the emulated KFD logged, call by call: the reader of the format that emulator/kfd/README.md describes.
#![forbid(unsafe_code)]

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
    /// Everything else that the emulator wrote of it; emulator/kfd/README.md lists the fields.
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

    /// Whether it is an SVM call that sets (`SET_FLAGS`) or clears (`CLR_FLAGS`) this flag.
    pub fn svm(&self, attribute: &str, flag: &str) -> bool {
        let attributes = self.fields.get("attrs").and_then(Value::as_array);
        attributes.into_iter().flatten().any(|found| {
            let flags = found.get("flags").and_then(Value::as_array);
            found["type"] == attribute && flags.into_iter().flatten().any(|name| name == flag)
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = serde_json::to_string(&self.fields).map_err(|_| fmt::Error)?;
        write!(f, "[{}] {} {fields}", self.mark, self.kind)
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
        for line in text.lines() {
            let mut fields: Map<String, Value> =
                serde_json::from_str(line).with_context(|| format!("the emulator's log line `{line}`"))?;
            let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
            let kind = text("event").with_context(|| format!("no event in `{line}`"))?;
            if kind == "mark" {
                mark = text("label").unwrap_or_default();
                continue;
            }
            fields.remove("event");
            events.push(Event { kind, mark: mark.clone(), fields });
        }
        Ok(Log { events })
    }

    /// The events under a mark.
    pub fn under(&self, mark: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.mark == mark).collect()
    }

    /// The part of the log under a mark.
    pub fn only(&self, mark: &str) -> Log {
        Log { events: self.under(mark).into_iter().cloned().collect() }
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

    /// The log in a form in which two runs compare: one line an event, addresses blotted out because they differ from
    /// run to run, handles numbered in order of appearance because they link the events.
    pub fn shape(&self) -> Vec<String> {
        let mut handles = Handles::default();
        let shape = |event: &Event| {
            let mut event = event.clone();
            event.fields.remove("pid");
            event.fields.iter_mut().for_each(|(key, value)| blot(key, value));
            if let Some(Value::String(handle)) = event.fields.get_mut("handle") {
                let freed = event.kind == "free";
                *handle = handles.name(handle, freed);
            }
            event.to_string()
        };
        self.events.iter().map(shape).collect()
    }
}

fn blot(key: &str, value: &mut Value) {
    if let Value::String(text) = value
        && text.starts_with("0x")
        && !["raw", "handle"].contains(&key)
    {
        *text = "address".into();
    }
}

#[derive(Default)]
struct Handles {
    live: HashMap<String, usize>,
    count: usize,
}

impl Handles {
    fn name(&mut self, handle: &str, freed: bool) -> String {
        let next = self.count;
        let number = *self.live.entry(handle.to_owned()).or_insert(next);
        self.count += usize::from(number == next);
        if freed {
            self.live.remove(handle);
        }
        format!("#{number}")
    }
}
