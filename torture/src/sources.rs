//! The tests that carry a row's number, found in the sources.

use std::path::{Path, PathBuf};

use crate::rows::{Long, ROWS, Row, Size};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Program {
    pub(crate) package: &'static str,
    /// None: the library's own tests.
    pub(crate) name: Option<String>,
}

impl Program {
    /// The one that a source file belongs to.
    fn of(file: &str) -> Program {
        let (package, path) = match file.strip_prefix("cli/") {
            Some(path) => ("tapelog-cli", path),
            None => ("tapelog", file),
        };
        let name = path.strip_prefix("tests/").and_then(|path| path.split(['/', '.']).next());
        Program { package, name: name.map(str::to_owned) }
    }

    /// Where its tests run: in their package.
    pub(crate) fn directory(&self) -> PathBuf {
        if self.package == "tapelog" { root() } else { root().join("cli") }
    }
}

/// A test of a row.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) row: &'static Row,
    pub(crate) name: String,
    /// From the root of the repository.
    pub(crate) file: String,
    pub(crate) long: Option<&'static Long>,
}

impl Test {
    pub(crate) fn program(&self) -> Program {
        Program::of(&self.file)
    }

    pub(crate) fn size(&self) -> Size {
        self.long.map_or(Size::Once, |long| long.size)
    }
}

/// All tests `row_NN_…` of the library and the command line, by row and name.
///
/// # Errors
/// The sources cannot be read, or a test carries a number that no row has.
pub(crate) fn find() -> Result<Vec<Test>, String> {
    let mut tests = Vec::new();
    for part in ["src", "tests", "cli/src", "cli/tests"] {
        find_below(&root().join(part), &mut tests)?;
    }
    tests.sort_by(|one, other| (one.row.number, &one.name).cmp(&(other.row.number, &other.name)));
    Ok(tests)
}

fn find_below(directory: &Path, tests: &mut Vec<Test>) -> Result<(), String> {
    let problem = |error| format!("{}: {error}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        if path.is_dir() {
            find_below(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).map_err(problem)?;
            let file = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            for (number, name) in text.lines().filter_map(named) {
                let row = ROWS.iter().find(|row| row.number == number);
                let row = row.ok_or_else(|| format!("{file}: {name}: there is no such row"))?;
                let long = row.long.iter().find(|long| long.test == name);
                tests.push(Test { row, name: name.to_owned(), file: file.clone(), long });
            }
        }
    }
    Ok(())
}

/// The number and the name of a test that a line begins.
fn named(line: &str) -> Option<(u32, &str)> {
    let name = line.trim_start().strip_prefix("fn ")?.split('(').next()?;
    let number = name.strip_prefix("row_")?.split('_').next()?;
    Some((number.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_test_that_carries_its_number() {
        let tests = find().unwrap();
        let has = |row: &&Row| tests.iter().any(|test| test.row.number == row.number);
        let missing: Vec<_> = ROWS.iter().filter(|row| !has(row)).map(|row| row.number).collect();
        assert_eq!(missing, [0; 0], "these have none");
        println!("{} tests of {} rows", tests.len(), ROWS.len());
    }

    #[test]
    fn the_rows_are_numbered_and_every_test_that_they_name_is_there() {
        let tests = find().unwrap();
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.number as usize, at + 1);
            for long in row.long {
                let there = tests.iter().filter(|test| test.name == long.test).count();
                assert_eq!(there, 1, "{}", long.test);
                let known = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
                let asked = format!("`{}`", long.variable);
                assert!(known.contains(&asked), "docs/reliability.md does not tell {asked}");
            }
        }
    }

    /// A line of the fault table in docs/reliability.md.
    struct Line {
        text: String,
        number: usize,
        /// The beginnings of names, each with its file.
        names: Vec<(String, String)>,
        /// The variables that ask for a long run.
        variables: Vec<String>,
    }

    impl Line {
        /// `number | fault | test | CI | long | …`, where a test is `file`, `name`, `name`, `file` ….
        fn of(text: &str) -> Option<Line> {
            let cells: Vec<_> = text.split('|').map(str::trim).collect();
            let [_, number, _, test, _, long, _, _] = cells[..] else { return None };
            let quoted = |cell: &str| {
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
            };
            let (mut file, mut names) = (String::new(), Vec::new());
            for quoted in quoted(test) {
                if quoted.starts_with("row_") {
                    names.push((file.clone(), quoted.trim_end_matches('…').to_owned()));
                } else {
                    file = quoted;
                }
            }
            let mut variables = quoted(long);
            variables.retain(|variable| variable.starts_with("TEST_"));
            Some(Line { text: text.to_owned(), number: number.parse().ok()?, names, variables })
        }

        fn has(&self, test: &Test) -> bool {
            let fits = |(file, start): &(String, String)| {
                test.file == *file && test.name.starts_with(start)
            };
            self.names.iter().any(fits)
        }
    }

    fn lines_of_the_document() -> Vec<Line> {
        let text = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
        text.lines().filter_map(Line::of).collect()
    }

    #[test]
    fn every_line_of_the_document_names_tests_that_are_there() {
        let tests = find().unwrap();
        let mut rows = [false; ROWS.len()];
        for Line { text, number, names, .. } in lines_of_the_document() {
            rows[number - 1] = true;
            for (file, start) in names {
                let fits = |test: &Test| test.file == file && test.name.starts_with(&start);
                assert!(tests.iter().any(fits), "docs/reliability.md: {file} has no {start}");
                assert!(start.starts_with(&format!("row_{number:02}_")), "{text}");
            }
        }
        let missing: Vec<_> = (1..).zip(rows).filter(|row| !row.1).map(|row| row.0).collect();
        assert_eq!(missing, [0; 0], "docs/reliability.md has no line of these rows");
    }

    #[test]
    fn every_test_of_a_row_has_a_line_of_the_document() {
        let (tests, lines) = (find().unwrap(), lines_of_the_document());
        let has_line = |test: &&Test| lines.iter().any(|line| line.has(test));
        let missing: Vec<_> = tests.iter().filter(|test| !has_line(test)).collect();
        let missing: Vec<_> = missing.iter().map(|test| (&test.file, &test.name)).collect();
        assert!(missing.is_empty(), "docs/reliability.md has no line of {missing:#?}");
    }

    #[test]
    fn the_document_names_the_variables_of_long_runs_and_no_others() {
        let (tests, lines) = (find().unwrap(), lines_of_the_document());
        for test in tests.iter().filter(|test| test.long.is_some()) {
            let variable = test.long.map(|long| long.variable.to_owned()).unwrap();
            let named = |line: &Line| line.has(test) && line.variables.contains(&variable);
            assert!(lines.iter().any(named), "docs/reliability.md: {}: {variable}", test.name);
        }
        for line in &lines {
            for variable in &line.variables {
                let asks = |test: &&Test| test.long.is_some_and(|long| long.variable == *variable);
                let asked = tests.iter().filter(asks).any(|test| line.has(test));
                assert!(asked, "torture/src/rows.rs has no {variable} for {}", line.text);
            }
        }
    }

    #[test]
    fn a_tests_file_tells_its_program() {
        let named = |package, name: &str| Program { package, name: Some(name.to_owned()) };
        assert_eq!(Program::of("tests/sync.rs"), named("tapelog", "sync"));
        assert_eq!(Program::of("tests/recovery/kills.rs"), named("tapelog", "recovery"));
        assert_eq!(Program::of("cli/tests/recover.rs"), named("tapelog-cli", "recover"));
        let library = Program { package: "tapelog", name: None };
        assert_eq!(Program::of("src/ring/tests/x.rs"), library);
    }
}
