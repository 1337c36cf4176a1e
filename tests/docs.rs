//! Goal: what the documents say of the code is there: links lead to the lines they name, and the
//! README's program is the example, and files that documents link to exist.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// ``[`Name::item`](path#L12)``: the item, the path and the line.
fn links(text: &str) -> impl Iterator<Item = (&str, &str, usize)> {
    text.split("[`").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("`](")?;
        let (path, rest) = rest.split_once("#L")?;
        let line = rest.split(')').next()?.parse().ok()?;
        Some((name.rsplit("::").next()?, path, line))
    })
}

/// Whether a line of code defines the item.
fn defines(line: &str, item: &str) -> bool {
    ["fn ", "struct ", "trait ", "enum ", "macro_rules! "].iter().any(|keyword| {
        line.split_once(keyword).is_some_and(|(_, rest)| {
            rest.strip_prefix(item).is_some_and(|rest| {
                !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            })
        })
    })
}

#[test]
fn every_link_of_the_architecture_leads_to_what_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut count = 0;
    for (item, path, line) in links(&text) {
        let code = fs::read_to_string(root.join(path)).unwrap_or_else(|error| {
            panic!("ARCHITECTURE.md names {path}: {error}");
        });
        count += 1;
        let found = code.lines().position(|line| defines(line, item)).map(|at| at + 1);
        if found.is_none() {
            // A module stands for its file.
            assert!(path.contains(item) && line == 1, "{path} has no {item}");
            continue;
        }
        assert_eq!(found, Some(line), "{item} in {path}");
    }
    assert!(count >= 15, "only {count} links: the pattern does not fit any more");
}

/// The files that a document names: `](path)`, without an anchor, and nothing of the network.
fn files(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let is_file = !target.is_empty() && !target.contains("://") && !target.contains(' ');
        is_file.then_some(target)
    })
}

/// The anchors of a document's headings, as GitHub makes them of plain words.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_';
            heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_file_that_a_document_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents: Vec<_> = ["README.md", "ARCHITECTURE.md", "PERF.md", "CHANGELOG.md"]
        .map(|name| root.join(name))
        .into();
    let guides = fs::read_dir(root.join("docs/guides")).unwrap();
    documents.extend(guides.map(|guide| guide.unwrap().path()));
    assert!(documents.len() >= 8, "a guide is missing: {documents:?}");
    let mut count = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for target in files(&text) {
            count += 1;
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{} links to {target}, which is not there", document.display());
        }
        for anchor in text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            let known = anchors(&text);
            assert!(
                known.iter().any(|heading| heading == anchor),
                "{} links to #{anchor}, which is none of {known:?}",
                document.display()
            );
        }
    }
    assert!(count >= 25, "only {count} links: the pattern does not fit any more");
}

#[test]
fn the_program_of_the_readme_is_the_quickstart_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let example = fs::read_to_string(root.join("examples/quickstart.rs")).unwrap();
    let program = readme.split("```rust,no_run\n").nth(1).unwrap().split("```").next().unwrap();
    let example = example.split_once("\n\n").unwrap().1;
    assert_eq!(program, example);
}
