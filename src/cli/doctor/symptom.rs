//! Finding a problem by a user's own words.

use super::problems::Problem;
use std::collections::BTreeSet;

/// The problems that share words with a text, the likeliest first. A word counts the more the fewer problems have it, and
/// in a title or among the words of users twice.
pub fn by_symptom<'a>(text: &str, problems: &'a [Problem]) -> Vec<&'a Problem> {
    let wanted = words([text]);
    let all: Vec<[BTreeSet<String>; 2]> = problems
        .iter()
        .map(|problem| {
            let log = problem.signs.iter().flat_map(|sign| &sign.log).map(String::as_str);
            let names = problem.names().chain(problem.symptoms.iter().map(String::as_str));
            [
                words(names.chain([problem.title.as_str()])),
                words(log.chain([problem.cause.as_str(), problem.fix.as_str()])),
            ]
        })
        .collect();
    let rarity = |word: &String| {
        let having = all.iter().filter(|sets| sets.iter().any(|set| set.contains(word))).count();
        (problems.len() as f64 / having.max(1) as f64).ln()
    };
    let score = |sets: &[BTreeSet<String>; 2]| {
        let weight = |word: &String| f64::from(u8::from(sets[0].contains(word)) * 2 + u8::from(sets[1].contains(word)));
        wanted.iter().map(|word| weight(word) * rarity(word)).sum::<f64>()
    };
    let mut ranked: Vec<(f64, &Problem)> =
        all.iter().map(score).zip(problems).filter(|(score, _)| *score > 0.0).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    ranked.into_iter().map(|(_, problem)| problem).collect()
}

/// The words of some texts, in small letters; those of one or two letters tell nothing.
fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let separate = |c: char| !c.is_alphanumeric() && c != '_';
    let split = texts.into_iter().flat_map(|text| text.split(separate)).filter(|word| word.chars().count() > 2);
    split.map(str::to_lowercase).collect()
}
