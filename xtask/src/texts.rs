//! Tests of the repository's texts: what they point at is there.

use crate::Xtask;
use crate::docs::{links, target_of};
use crate::run::root;
use clap::CommandFactory;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The texts of the repository whose paths end in this, by path.
fn files(end: &str) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("its type").is_dir() {
                // What git and cargo keep beside it.
                folders.extend((path != Path::new(".git") && path != Path::new("target")).then_some(path));
            } else if path.to_string_lossy().ends_with(end) {
                let text = fs::read_to_string(root().join(&path)).expect("a text");
                files.insert(path, text);
            }
        }
    }
    assert!(!files.is_empty(), "no file ends in {end}");
    files
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading = None;
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap_or_default().to_lowercase().replace(' ', "-");
                anchors.insert(text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect());
            }
            _ => {}
        }
    }
    anchors
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = files(".md");
    let mut wrong = Vec::new();
    for (from, text) in &pages {
        for (_, link) in links(text) {
            let Some((path, anchor)) = target_of(from, &link) else { continue };
            let there = match pages.get(&path) {
                Some(page) => anchor.is_empty() || anchors(page).contains(&anchor),
                None => anchor.is_empty() && root().join(&path).exists(),
            };
            if !there {
                wrong.push(format!("{}: {link}", from.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_readme_leads_to_the_book_and_the_book_to_every_page_of_docs() {
    let pages = files(".md");
    let (readme, summary) = (Path::new("README.md"), Path::new("docs/SUMMARY.md"));
    let linked = |from: &Path| -> BTreeSet<_> {
        links(&pages[from]).iter().filter_map(|(_, link)| Some(target_of(from, link)?.0)).collect()
    };
    assert!(linked(readme).contains(summary), "no link leads from README.md to {}", summary.display());
    let chapters = linked(summary);
    let is_lost = |page: &&PathBuf| page.starts_with("docs") && *page != summary && !chapters.contains(*page);
    let lost: Vec<_> = pages.keys().filter(is_lost).collect();
    assert!(lost.is_empty(), "{} has no link to {lost:?}", summary.display());
}

#[test]
fn every_command_of_xtask_that_a_text_names_is_there() {
    let xtask = Xtask::command();
    let commands: BTreeSet<_> = xtask.get_subcommands().map(clap::Command::get_name).collect();
    let mut wrong = Vec::new();
    for end in [".md", ".yml", ".yaml", ".ci/run"] {
        for (path, text) in files(end) {
            for after in text.split("cargo xtask ").skip(1) {
                let name = after.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
                if !name.is_empty() && !commands.contains(name) && name != "help" {
                    wrong.push(format!("{}: cargo xtask {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "commands that are not there:\n{}", wrong.join("\n"));
}

#[test]
fn every_issue_form_asks_for_what_rmcp_detects() {
    let forms = files(".yml").into_iter().filter(|(path, _)| path.starts_with(".github/ISSUE_TEMPLATE"));
    for (path, text) in forms.filter(|(path, _)| !path.ends_with("config.yml")) {
        assert!(text.contains("`rmcp detect --json`"), "{}", path.display());
    }
}

#[test]
fn every_action_of_others_is_one_commit() {
    for (path, text) in files(".yml").into_iter().filter(|(path, _)| path.starts_with(".github/workflows")) {
        for action in text.lines().filter_map(|line| line.trim_start_matches(['-', ' ']).strip_prefix("uses: ")) {
            let commit = action.split(['@', ' ']).nth(1).unwrap_or_default();
            let one = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(one || action.starts_with("./"), "{}: {action}", path.display());
        }
    }
}
