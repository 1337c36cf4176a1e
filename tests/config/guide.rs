//! The guide's table of parameters is made of the model.

use std::fs;
use std::sync::Mutex;

use tapelog::{MetaLogger, Origin, Parameter, Shape, parameters};

use super::wrong::golden;

const GUIDE: &str = "docs/guides/configuration.md";
const BEGIN: &str = "<!-- The parameters: made by `TEST_BLESS=1 cargo test --test config`. -->\n";
const PRESETS_BEGIN: &str =
    "<!-- The presets: made by `TEST_BLESS=1 cargo test --test config`. -->\n";
const PRESETS_END: &str = "<!-- The end of the presets. -->\n";
const OVERVIEW_BEGIN: &str =
    "<!-- The overview: made by `TEST_BLESS=1 cargo test --test config`. -->\n";
const OVERVIEW_END: &str = "<!-- The end of the overview. -->\n";
const END: &str = "<!-- The end of the parameters. -->\n";

fn chapter(parameter: &Parameter) -> String {
    let meaning: Vec<&str> = parameter.meaning.lines().map(str::trim).collect();
    let default = parameter.follows().unwrap_or(&parameter.default);
    let running = if parameter.changeable { "yes" } else { "no" };
    format!(
        "### `{key}`\n\n{meaning}\n\n\
         | default | range | variable | argument | changeable while running |\n\
         |---|---|---|---|---|\n\
         | `{default}` | {accepted} | `{variable}` | `{argument}` | {running} |\n\n\
         ```toml\n{key} = {example}\n```\n\n",
        key = parameter.key,
        meaning = meaning.join("\n"),
        accepted = parameter.accepted.replace('|', "\\|"),
        variable = parameter.variable(),
        argument = parameter.argument(),
        example = parameter.example,
    )
}

/// A parameter's row in the overview.
fn row(parameter: &Parameter) -> String {
    let default = parameter.follows().unwrap_or(&parameter.default);
    let running = if parameter.changeable { "yes" } else { "no" };
    let [meaning, range] =
        [&*parameter.summary(), parameter.accepted].map(|text| text.replace('|', "\\|"));
    format!(
        "| [`{key}`](#{key}) | {meaning} | `{default}` | {range} | {running} |\n",
        key = parameter.key
    )
}

/// A preset's row: what it sets, as a file would say it.
fn preset_row(preset: &str) -> String {
    let builder = MetaLogger::builder().code_only().set("preset", preset);
    let shown = builder.configuration().unwrap().to_toml();
    let lines = shown.lines().filter_map(|line| line.split_once(" # the preset "));
    let set: Vec<_> = lines.map(|(setting, _)| format!("`{}`", setting.trim())).collect();
    assert!(set.len() >= 3, "{preset} sets hardly anything: {set:?}");
    format!("| `{preset}` | {} |\n", set.join(", "))
}

#[test]
fn the_guide_tells_each_preset_as_the_code_has_it() {
    let preset = parameters().iter().find(|known| known.key == "preset").unwrap();
    let Shape::Optional(shape) = &preset.shape else { panic!("{preset:?}") };
    let Shape::Words(presets) = &**shape else { panic!("{preset:?}") };
    let rows: String = presets.iter().map(|preset| preset_row(preset)).collect();
    let table = format!("\n| preset | sets |\n|---|---|\n{rows}\n");
    golden_part(PRESETS_BEGIN, &table, PRESETS_END);
}

/// Compares what stands in the guide between two marks.
fn golden_part(begin: &str, text: &str, end: &str) {
    // The tests of one file are blessed in turn.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let path = format!("{}/{GUIDE}", env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(path).unwrap();
    let (before, rest) = guide.split_once(begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, behind) = rest.split_once(end).unwrap_or_else(|| panic!("no {end}"));
    golden(GUIDE, &format!("{before}{begin}{text}{end}{behind}"));
}

#[test]
fn the_guide_tells_each_parameter_as_the_model_has_it() {
    let chapters: String = parameters().iter().map(chapter).collect();
    golden_part(BEGIN, &format!("\n{chapters}"), END);
}

#[test]
fn the_guide_has_one_table_of_all_parameters() {
    let rows: String = parameters().iter().map(row).collect();
    let head = "| parameter | meaning | default | range | changeable while running |\n";
    golden_part(OVERVIEW_BEGIN, &format!("\n{head}|---|---|---|---|---|\n{rows}\n"), OVERVIEW_END);
}

#[test]
fn a_default_that_follows_is_told_by_the_meaning_as_the_model_has_it() {
    let following = parameters().iter().filter_map(|known| Some((known, known.follows()?)));
    let mut count = 0;
    for (parameter, follows) in following {
        let words: Vec<&str> = parameter.meaning.split_whitespace().collect();
        let meaning = words.join(" ").replace('`', "").to_lowercase();
        let told = format!("default: {}.", follows.to_lowercase());
        assert!(meaning.contains(&told), "{}: {told} is not in {meaning}", parameter.key);
        count += 1;
    }
    assert_eq!(count, 6);
}

/// The name that the specification has for it.
#[test]
fn the_configuration_has_the_name_of_the_specification_too() {
    let builder = MetaLogger::builder().code_only();
    let configuration: tapelog::LogConfiguration = builder.configuration().unwrap();
    assert_eq!(configuration, builder.configuration().unwrap());
}

#[test]
fn each_example_of_the_guide_is_accepted_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("example.toml");
    for parameter in parameters() {
        fs::write(&path, format!("{} = {}\n", parameter.key, parameter.example)).unwrap();
        // A prefix that nobody uses: the environment has no part in it.
        let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
        let configuration = builder.configuration().unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(configuration.origin(parameter.key), Origin::File { .. }));
    }
}

#[test]
fn the_effective_configuration_reads_back_as_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shown.toml");
    let builder = MetaLogger::builder().code_only().log_dir("a \"dir\"\n").mlock(true);
    let configuration = builder.mask_keys(vec!["-token".to_owned()]).configuration().unwrap();
    fs::write(&path, configuration.to_toml()).unwrap();
    let read = |path| {
        MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(path).configuration().unwrap()
    };
    assert_eq!(read(&path), configuration);
    // Each line tells where its value is from: a file may have any name.
    let hostile = directory.path().join("a\nlog_dir = \"b\"\u{202e}.toml");
    fs::copy(&path, &hostile).unwrap();
    let shown = read(&hostile).to_toml();
    assert!(shown.contains(r#"a\nlog_dir = "b"\u{202e}.toml, line "#), "{shown}");
    fs::write(&path, shown).unwrap();
    assert_eq!(read(&path), configuration);
}
