//! What a sign asks of one fact.

use super::facts::Fact;
use crate::recipes::pattern_matches;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::str::FromStr;

/// A test of a fact, as `config/problems.toml` writes it.
///
/// `a | b`: one of these texts, in which * stands for any; `>=6.12, <7.0`: releases or numbers within; `present` and
/// `absent`; ! before it: not so. A fact of several values passes if one of them does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactTest {
    text: String,
    negated: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Absent,
    Present,
    OneOf(Vec<String>),
    Within { from: Option<Numbers>, before: Option<Numbers> },
}

/// A release or a number, as far as it is numbers with dots: 6.12.1 is [6, 12, 1].
type Numbers = Vec<u64>;

impl FactTest {
    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the fact passes; None: that is not known.
    pub fn holds(&self, fact: Option<&Fact>) -> Option<bool> {
        let values = &fact?.values;
        let passes = match &self.wanted {
            Wanted::Absent => values.is_empty(),
            Wanted::Present => !values.is_empty(),
            Wanted::OneOf(texts) => values.iter().any(|value| texts.iter().any(|text| pattern_matches(text, value))),
            Wanted::Within { from, before } => {
                let numbers: Vec<Numbers> = values.iter().filter_map(|value| leading_numbers(value)).collect();
                if numbers.len() < values.len() {
                    return None;
                }
                let fits = |number: &Numbers| {
                    from.as_ref().is_none_or(|from| from <= number)
                        && before.as_ref().is_none_or(|before| number < before)
                };
                numbers.iter().any(fits)
            }
        };
        Some(passes != self.negated)
    }
}

/// The numbers that a text begins with; None where it begins with none.
fn leading_numbers(text: &str) -> Option<Numbers> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let numbers: Numbers = text.get(..end)?.split('.').map_while(|number| number.parse().ok()).collect();
    (!numbers.is_empty()).then_some(numbers)
}

impl FromStr for FactTest {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let (negated, text) = match written.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, written.trim()),
        };
        let wanted = match text {
            "" => return Err("a test is empty".into()),
            "absent" => Wanted::Absent,
            "present" => Wanted::Present,
            range if range.starts_with(['<', '>']) => within(range)?,
            texts => Wanted::OneOf(texts.split('|').map(|text| text.trim().to_owned()).collect()),
        };
        Ok(Self { text: written.into(), negated, wanted })
    }
}

fn within(range: &str) -> Result<Wanted, String> {
    let (mut from, mut before) = (None, None);
    for part in range.split(',').map(str::trim) {
        let (end, number) = match (part.strip_prefix(">="), part.strip_prefix('<')) {
            (Some(number), _) => (&mut from, number),
            (_, Some(number)) => (&mut before, number),
            _ => return Err(format!("{part:?} begins with neither >= nor <")),
        };
        let whole = number.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let numbers = leading_numbers(number.trim()).filter(|_| whole);
        if end.replace(numbers.ok_or_else(|| format!("{part:?} has no number like 6.12"))?).is_some() {
            return Err(format!("{range:?} has two of one kind"));
        }
    }
    Ok(Wanted::Within { from, before })
}

impl<'de> Deserialize<'de> for FactTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
