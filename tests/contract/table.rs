//! `docs/requirements.md` names every id, and proves each by tests that exist and are run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The keys of the contract's table of parameters.
const KEYS: &str = "log_name log_level trade_log_level log_filter console_level journal_level log_dir \
    log_file trade_log_file error_log_file log_to_file log_to_console structured_logging \
    async_logging log_max_file_size log_backup_count use_colors ring_bytes block_bytes \
    reserve_blocks ring_dir overflow journal_segment_bytes journal_segments idle nap threading \
    writer_cpu view_cpu sync order_window shutdown_timeout metrics_interval latency_warning \
    mask_keys mask_patterns file_mode dir_mode file_group backtrace handle_signals panic_hook \
    sigbus_guard facility enterprise_number hostname";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the page says of an id: what is in the last column of its row.
fn rows() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("docs/requirements.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let columns: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _what, proofs] = columns[..] else { panic!("not three columns: {line}") };
        if id == "id" || id == "key" {
            continue;
        }
        let double = rows.insert(id.trim_matches('`').to_owned(), proofs.to_owned());
        assert_eq!(double, None, "{id} has two rows");
    }
    rows
}

/// What stands in backticks before anything that is open.
fn proofs(column: &str) -> impl Iterator<Item = &str> {
    column.split("open:").next().unwrap_or_default().split('`').skip(1).step_by(2)
}

/// What is wrong with a proof, if anything.
fn wrong(proof: &str) -> Option<String> {
    let (path, test) =
        proof.split_once("::").map_or((proof, None), |(path, test)| (path, Some(test)));
    let Ok(text) = fs::read_to_string(root().join(path)) else {
        return Some(format!("{path} is not there"));
    };
    wrong_test(path, &text, test?)
}

/// What is wrong with a proof by a test, if anything.
fn wrong_test(path: &str, text: &str, test: &str) -> Option<String> {
    let Some((before, _)) = text.split_once(&format!("fn {test}(")) else {
        return Some(format!("{path} has no function {test}"));
    };
    // The attributes and comments between the function and what stands above it.
    let above = before.lines().rev().skip(usize::from(!before.ends_with('\n')));
    let attributes: Vec<_> = above
        .map(str::trim)
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .collect();
    if !attributes.contains(&"#[test]") {
        return Some(format!("{test} in {path} is no test"));
    }
    let attributes = attributes.iter().filter(|line| line.starts_with("#["));
    let sometimes = |line: &&&str| line.contains("ignore") || line.contains("cfg");
    let attribute = attributes.into_iter().find(sometimes)?;
    Some(format!("{test} in {path} is not run everywhere: {attribute}"))
}

/// The ids that have to be there.
fn ids() -> Vec<String> {
    let numbered = |name: &str, last: u32, digits: usize| -> Vec<String> {
        (1..=last).map(|number| format!("{name}{number:0digits$}")).collect()
    };
    let keys = tapelog::parameters().iter().map(|known| known.key.to_owned());
    let numbers = [numbered("FR-", 12, 3), numbered("SC-", 9, 3), numbered("T", 63, 3)].concat();
    numbers.into_iter().chain(KEYS.split_whitespace().map(str::to_owned)).chain(keys).collect()
}

#[test]
fn every_id_has_a_row_and_no_row_points_to_nothing() {
    let rows = rows();
    let missing: Vec<_> = ids().into_iter().filter(|id| !rows.contains_key(id)).collect();
    assert_eq!(missing, [""; 0], "have no row");
    let mut problems = Vec::new();
    let mut count = 0;
    for (id, column) in &rows {
        let before = count;
        for proof in proofs(column) {
            count += 1;
            problems.extend(wrong(proof).map(|problem| format!("{id}: {problem}")));
        }
        if count == before {
            problems.push(format!("{id} is proven by nothing"));
        }
    }
    assert_eq!(problems, [""; 0]);
    let open: Vec<_> = rows.iter().filter(|(_, column)| column.contains("open:")).collect();
    println!("{} rows, {count} proofs, {} rows with something open:", rows.len(), open.len());
    open.iter().for_each(|(id, column)| {
        println!("  {id}: {}", column.split_once("open:").unwrap().1.trim());
    });
}

#[test]
fn what_points_to_nothing_is_found() {
    assert!(wrong("tests/no_such_file.rs").is_some());
    assert!(wrong("tests/contract/table.rs::no_such_test").is_some());
    assert!(wrong("tests/contract/table.rs::rows").unwrap().contains("no test"));
    assert_eq!(wrong("tests/contract/table.rs::what_points_to_nothing_is_found"), None);
    for (attribute, proves) in [
        ("#[cfg(feature = \"clap\")]", false),
        ("#[cfg_attr(debug_assertions, ignore)]", false),
        ("#[ignore = \"slow\"]", false),
        ("// Of cfg and ignore.", true),
    ] {
        for above in [format!("{attribute}\n#[test]"), format!("#[test]\n{attribute}")] {
            let text = format!("use x;\n\n{above}\nfn it() {{}}\n");
            assert_eq!(wrong_test("a.rs", &text, "it").is_none(), proves, "{text}");
        }
    }
}

/// The tests of the contract itself, by the ids that they begin with.
fn own_tests() -> Vec<String> {
    let mut files = vec![root().join("tests/contract")];
    let mut tests = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries: Vec<PathBuf> =
                fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.extend(entries);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let behind = text.split("#[test]\nfn ").skip(1);
        tests.extend(behind.map(|rest| rest.split('(').next().unwrap_or_default().to_owned()));
    }
    tests
}

#[test]
fn every_success_and_requirement_and_parameter_has_a_test_named_after_it() {
    let tests = own_tests();
    let names = ids().into_iter().filter(|id| !id.starts_with('T'));
    let own = |id: &String| KEYS.split_whitespace().any(|key| key == id) || id.contains('-');
    let mut prefixes: Vec<_> = names
        .filter(own)
        .map(|id| match id.contains('-') {
            true => format!("{}_", id.to_lowercase().replace('-', "_")),
            false => format!("parameter_{id}_"),
        })
        .collect();
    prefixes.dedup();
    assert!(prefixes.len() >= 12 + 9 + 46, "{}", prefixes.len());
    let without: Vec<_> =
        prefixes.iter().filter(|id| !tests.iter().any(|test| test.starts_with(*id))).collect();
    assert_eq!(without, [""; 0], "have no test");
}
