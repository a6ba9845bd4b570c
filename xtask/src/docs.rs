//! `cargo xtask docs`: the book of docs/SUMMARY.md, in `<target>/book`, with every link in it looked up.

use crate::run::{program, root, target};
use crate::tools::MDBOOK;
use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

const SUMMARY: &str = "docs/SUMMARY.md";

/// Builds the book and fails where one of its links leads nowhere. The path of its first page.
pub fn build() -> Result<PathBuf> {
    let (source, book) = (target().join("book-source"), target().join("book"));
    for folder in [&source, &book] {
        match fs::remove_dir_all(folder) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why.into()),
            _ => {}
        }
    }
    // Where a site shows the repository's files; a workflow of GitHub has the three variables.
    let variable = |name| std::env::var(name).ok();
    let site = variable("GITHUB_SERVER_URL").zip(variable("GITHUB_REPOSITORY")).zip(variable("GITHUB_SHA"));
    let site = site.map(|((server, name), commit)| format!("{server}/{name}/blob/{commit}"));
    stage(&source, site.as_deref())?;
    program(MDBOOK.program()?).env("MDBOOK_LOG", "warn").args(["build", "--dest-dir"]).arg(&book).arg(&source).run()?;
    check(&book)?;
    Ok(book.join("index.html"))
}

/// Copies what the book is made of into one folder, with links that hold there.
fn stage(folder: &Path, site: Option<&str>) -> Result<()> {
    let summary = Path::new(SUMMARY);
    let text = |path: &Path| fs::read_to_string(root().join(path)).with_context(|| path.display().to_string());
    let save = |path: &Path, text: String| {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap_or(folder))
            .and_then(|()| fs::write(&file, text))
            .with_context(|| file.display().to_string())
    };
    save(Path::new("book.toml"), text(Path::new("docs/book.toml"))?)?;
    let chapters = links(&text(summary)?).into_iter().filter_map(|(_, link)| Some(target_of(summary, &link)?.0));
    let mut files: BTreeSet<PathBuf> = chapters.collect();
    let chapters = files.clone();
    for entry in fs::read_dir(root().join("docs/schema"))? {
        files.insert(Path::new("docs/schema").join(entry?.file_name()));
    }
    for path in files.iter().map(PathBuf::as_path).chain([summary]) {
        let mut page = text(path)?;
        if path == summary || chapters.contains(path) {
            let (book, page_in_book) = (&files, in_book(path));
            page = relinked(path, &page, |file| match site {
                _ if book.contains(file) => Some(relative(page_in_book.parent()?, in_book(file))),
                Some(site) => Some(format!("{site}/{}", file.display())),
                None => None,
            });
        }
        save(&Path::new("src").join(in_book(path)), page)?;
    }
    Ok(())
}

/// Where a file of the repository lies in the book: at its top what docs/ or the root has there.
fn in_book(path: &Path) -> &Path {
    if path == Path::new("README.md") { Path::new("index.md") } else { path.strip_prefix("docs").unwrap_or(path) }
}

/// The way from a folder to a file.
fn relative(folder: &Path, file: &Path) -> String {
    let up = "../".repeat(folder.components().count());
    format!("{up}{}", file.display())
}

/// Where the links of a page stand, and where they lead.
pub fn links(page: &str) -> Vec<(Range<usize>, String)> {
    let link = |(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some((range, dest_url.into_string())),
        _ => None,
    };
    Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter().filter_map(link).collect()
}

/// The path of a link's file in the repository and its anchor; None where it leads out of that.
pub fn target_of(from: &Path, link: &str) -> Option<(PathBuf, String)> {
    if link.contains("://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let mut path = if file.is_empty() { from.to_owned() } else { from.parent()?.to_owned() };
    for component in Path::new(file).components() {
        match component {
            Component::ParentDir => _ = path.pop(),
            other => path.push(other),
        }
    }
    Some((path, anchor.to_owned()))
}

/// The page with each link into the repository led to what `place` says of its file; without a place its text alone.
fn relinked(from: &Path, page: &str, place: impl Fn(&Path) -> Option<String>) -> String {
    let (mut text, mut done) = (String::new(), 0);
    for (range, link) in links(page) {
        let Some((file, anchor)) = target_of(from, &link) else { continue };
        let whole = &page[range.clone()];
        let Some(end) = whole.rfind("](") else { continue };
        text += &page[done..range.start];
        let anchor = if anchor.is_empty() { anchor } else { format!("#{anchor}") };
        text += &match place(&file) {
            Some(place) => format!("{}]({place}{anchor})", &whole[..end]),
            None => whole[1..end].to_owned(),
        };
        done = range.end;
    }
    text + &page[done..]
}

/// Fails where a link of the built pages leads to no file of the book, or to no place in it.
fn check(book: &Path) -> Result<()> {
    let pages = pages(book)?;
    let mut wrong = Vec::new();
    for (from, page) in &pages {
        for link in attributes(page, "href").chain(attributes(page, "src")) {
            if link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            let Some((path, anchor)) = target_of(from, &link.replace("&amp;", "&")) else { continue };
            let found = match pages.get(&path) {
                Some(page) => anchor.is_empty() || attributes(page, "id").any(|id| id == anchor),
                None => book.join(&path).is_file(),
            };
            if !found {
                wrong.push(format!("{}: {link}", from.display()));
            }
        }
    }
    ensure!(!pages.is_empty(), "{} holds no page", book.display());
    if !wrong.is_empty() {
        bail!("links of the book that lead nowhere:\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// The pages of the book, by their paths in it. What a server shows for a missing page has no place of its own.
fn pages(book: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let (mut pages, mut folders) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(book.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") && path != Path::new("404.html") {
                pages.insert(path, fs::read_to_string(entry.path())?);
            }
        }
    }
    Ok(pages)
}

/// The values of an attribute in a page.
fn attributes<'page>(page: &'page str, name: &str) -> impl Iterator<Item = &'page str> {
    let begin = format!(" {name}=\"");
    let starts: Vec<_> = page.match_indices(&begin).map(|(place, begin)| place + begin.len()).collect();
    starts.into_iter().filter_map(|start| page[start..].split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_book_where_it_has_the_file_and_to_the_site_or_nowhere_where_not() {
        let page = "[a](../CONTRIBUTING.md#the-house), [`b`](../src/core/lib.rs), <https://c.d/>, [e](#f)\n\n| x |\n|---|\n| [g](h.md) |\n";
        let staged = |site: Option<&str>| {
            relinked(Path::new("docs/guide.md"), page, |file| match file.to_str() {
                Some("CONTRIBUTING.md" | "docs/guide.md" | "docs/h.md") => Some(in_book(file).display().to_string()),
                _ => site.map(|site| format!("{site}/{}", file.display())),
            })
        };
        let rest = ", <https://c.d/>, [e](guide.md#f)\n\n| x |\n|---|\n| [g](h.md) |\n";
        assert_eq!(staged(None), format!("[a](CONTRIBUTING.md#the-house), `b`{rest}"));
        assert_eq!(staged(Some("s")), format!("[a](CONTRIBUTING.md#the-house), [`b`](s/src/core/lib.rs){rest}"));
        assert_eq!(relative(Path::new("guide"), Path::new("README.md")), "../README.md");
    }

    #[test]
    fn a_page_whose_link_leads_to_no_file_or_no_anchor_is_named() {
        let book = tempfile::tempdir().expect("a folder");
        let write = |text: &str| fs::write(book.path().join("a.html"), text).expect("a page");
        write("<h1 id=\"top\"><a href=\"#top\">A</a></h1><a href=\"https://b.c/d\">b</a>");
        check(book.path()).expect("all links lead somewhere");
        write("<h1 id=\"top\"><a class=\"x\" href=\"a.html#bottom\">A</a></h1><img src=\"b.png\">");
        let error = check(book.path()).expect_err("two lead nowhere").to_string();
        assert_eq!(error, "links of the book that lead nowhere:\na.html: a.html#bottom\na.html: b.png");
    }
}
