//! Goal: what the documents say of the code is there: links lead to the lines they name, files that
//! documents link to exist, the README's programs are examples, and what a configuration file is
//! shown to hold is accepted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tapelog::MetaLogger;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document for people: those beside the README, and those below `docs`.
fn documents() -> Vec<(PathBuf, String)> {
    let directories = ["", "docs", "docs/guides"].map(|directory| root().join(directory));
    let files = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut found: Vec<_> =
        texts.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    found.sort();
    assert!(found.len() >= 12, "a document is missing: {found:?}");
    found
}

/// The fenced blocks of a document: what stands behind the three marks, and the text.
fn blocks(document: &str) -> impl Iterator<Item = (&str, &str)> {
    // Outside, inside, outside, …
    document.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

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
    let root = root();
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
    let mut count = 0;
    for (document, text) in documents() {
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

/// They are clean on the page; what is around them stands in the example.
#[test]
fn each_program_of_the_readme_is_an_example_that_is_run() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let examples = fs::read_dir(root().join("examples")).unwrap();
    let examples: Vec<_> =
        examples.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let programs: Vec<_> = blocks(&readme).filter(|(kind, _)| kind.starts_with("rust")).collect();
    assert!(programs.len() >= 2, "{programs:?}");
    for (kind, program) in programs {
        assert_eq!(kind, "rust", "{program}");
        let indented = program.lines().map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("    {line}\n"),
        });
        let (whole, part) = (format!("\n{program}\n"), indented.collect::<String>());
        let shown =
            examples.iter().any(|example| example.contains(&whole) || example.contains(&part));
        assert!(shown, "no example has this program:\n{program}");
    }
}

#[test]
fn no_code_block_is_left_out_without_a_reason() {
    let mut pending = vec![root().join("src")];
    let mut texts = documents();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            texts.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
    let mut fences = 0;
    for (path, text) in &texts {
        for line in text.lines() {
            let line = line.trim_start_matches(['/', '!', ' ']);
            let Some(kind) = line.strip_prefix("```") else { continue };
            fences += 1;
            for left_out in ["no_run", "ignore", "should_panic"] {
                assert!(!kind.contains(left_out), "{}: {line}", path.display());
            }
        }
    }
    println!("{fences} fences in {} files", texts.len());
    assert!(fences >= 200, "the pattern does not fit any more");
}

/// Everything below the root, but for what was built.
fn sources(extension: &str) -> Vec<(PathBuf, String)> {
    let mut pending = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let hidden = name.starts_with('.') || name == "target" || path.is_symlink();
        if path.is_dir() && (path == root() || !hidden) {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && path.extension().is_some_and(|end| end == extension) {
            found.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_document_with_a_program_is_one_whose_programs_are_compiled() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut with_programs = 0;
    for (path, text) in sources("md") {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let programs = blocks(&text).filter(|(kind, _)| kind.starts_with("rust")).count();
        // The README's are examples, see above.
        let compiled = library.contains(&format!("include_str!(\"../{name}\")"));
        assert!(programs == 0 || compiled || name == "README.md", "{name}: {programs} programs");
        with_programs += usize::from(programs > 0);
    }
    assert!(with_programs >= 4, "only {with_programs}: the pattern does not fit any more");
}

/// What is wrong with a line of code that leaves a test out of the run or a function out of the
/// coverage.
fn left_out(line: &str) -> Option<&'static str> {
    let attribute = line.trim_start().starts_with("#[") || line.trim_start().starts_with("#![");
    let because = line.contains("reason") || line.contains("// ");
    // Marks of tools, in comments.
    let marked = ["LCOV_EXCL", "GRCOV_EXCL", "tarpaulin", "cov:ignore"];
    if attribute && line.contains("ignore") && !line.contains("ignore = \"") {
        Some("#[ignore] without a reason")
    } else if attribute && line.contains("coverage") && !because {
        Some("no coverage, without a reason")
    } else if marked.iter().any(|mark| line.contains(mark)) && !line.contains("because") {
        Some("no coverage, without a \"because\"")
    } else {
        None
    }
}

#[test]
fn nothing_is_left_out_of_the_tests_or_the_coverage_without_a_reason() {
    let own = Path::new(file!()).file_name();
    let sources = sources("rs");
    assert!(sources.len() >= 300, "only {} files", sources.len());
    for (path, text) in sources.iter().filter(|(path, _)| path.file_name() != own) {
        for (number, line) in (1..).zip(text.lines()) {
            let problem = left_out(line);
            assert_eq!(problem, None, "{}:{number}: {line}", path.display());
        }
    }
    for line in
        ["#[ignore]", "    #[cfg_attr(miri, ignore)]", "#[coverage(off)]", "// LCOV_EXCL_LINE"]
    {
        assert!(left_out(line).is_some(), "{line}");
    }
    for line in ["#[ignore = \"takes an hour\"]", "#[coverage(off)] // it ends the process"] {
        assert_eq!(left_out(line), None, "{line}");
    }
}

#[test]
fn the_coverage_that_is_told_is_at_least_95_percent_of_the_lines() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/testing.md"));
    let text = text.unwrap();
    let (share, rest) = text.split_once(" % of the library's lines (").unwrap();
    let (run, rest) = rest.split_once(" of ").unwrap();
    let all = rest.split(')').next().unwrap();
    let share: f64 = share.lines().last().unwrap().parse().unwrap();
    let [run, all] = [run, all].map(|lines| lines.replace(',', "").parse::<f64>().unwrap());
    assert!(
        share >= 95.0 && (run / all * 100.0 - share).abs() < 0.01,
        "{share} % is {run} of {all}"
    );
}

#[test]
fn every_document_depends_on_the_crate_in_the_same_way() {
    // What `tapelog new` writes where its own checkout is gone, too.
    let source = concat!("git = \"", env!("CARGO_PKG_REPOSITORY"), "\"");
    let mut count = 0;
    for (document, text) in documents() {
        let blocks = blocks(&text).filter(|(kind, _)| *kind == "toml");
        let lines = blocks.flat_map(|(_, block)| block.lines());
        for line in lines.filter(|line| line.starts_with("tapelog = ")) {
            count += 1;
            let other = ["version", "path", "branch", "tag"].iter().any(|key| line.contains(key));
            assert!(line.contains(source) && !other, "{}: {line}", document.display());
        }
    }
    assert!(count >= 3, "only {count}: the pattern does not fit any more");
}

/// All but those for cargo.
#[test]
fn each_configuration_that_a_document_shows_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shown.toml");
    let mut count = 0;
    for (document, text) in documents() {
        for (_, block) in blocks(&text).filter(|(kind, _)| *kind == "toml") {
            let of_cargo = ["[dependencies]", "[target.", "tapelog = "];
            if of_cargo.iter().any(|begin| block.starts_with(begin)) {
                continue;
            }
            fs::write(&path, block).unwrap();
            // A prefix that nobody uses: the environment has no part in it.
            let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
            let outcome = builder.configuration();
            assert!(outcome.is_ok(), "{}: {outcome:?}\n{block}", document.display());
            let set = block.lines().filter(|line| line.contains(" = ")).count();
            assert!(set > 0, "{}: {block}", document.display());
            count += 1;
        }
    }
    println!("{count} blocks");
    assert!(count >= 60, "only {count} blocks");
}

/// The variables that a text reads or names: words that begin so.
fn variables(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter_map(|word| {
        let ours = word.strip_prefix("TEST_").is_some_and(|rest| !rest.is_empty());
        ours.then(|| word.to_owned())
    })
}

#[test]
fn every_variable_of_the_tests_is_in_the_table() {
    let table = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let known: BTreeSet<_> = variables(&table).collect();
    let mut used = BTreeSet::new();
    let places = [
        "tests",
        "cli/tests",
        "src",
        "cli/src",
        "loom-tests",
        "shuttle-tests",
        "torture",
        ".ci",
        "README.md",
    ];
    let mut pending: Vec<_> = places.map(|place| root().join(place)).into();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(path) {
            used.extend(variables(&text));
        }
    }
    assert_eq!(used, known, "used on the left, in docs/testing.md on the right");
    println!("{} variables", known.len());
}
