//! The guide's table of parameters is made of the model.

use std::fs;

use tapelog::{MetaLogger, Parameter, parameters};

use super::wrong::golden;

const GUIDE: &str = "docs/guides/configuration.md";
const BEGIN: &str = "<!-- The parameters: made by `TEST_BLESS=1 cargo test --test config`. -->\n";
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

#[test]
fn the_guide_tells_each_parameter_as_the_model_has_it() {
    let path = format!("{}/{GUIDE}", env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).expect("the begin of the table");
    let (_, behind) = rest.split_once(END).expect("the end of the table");
    let chapters: String = parameters().iter().map(chapter).collect();
    golden(GUIDE, &format!("{before}{BEGIN}\n{chapters}{END}{behind}"));
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
        assert_ne!(configuration.origin(parameter.key), tapelog::Origin::Default);
    }
}

#[test]
fn the_effective_configuration_reads_back_as_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shown.toml");
    let builder = MetaLogger::builder().code_only().log_dir("a \"dir\"\n").mlock(true);
    let configuration = builder.mask_keys(vec!["-token".to_owned()]).configuration().unwrap();
    fs::write(&path, configuration.to_toml()).unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    assert_eq!(builder.configuration().unwrap(), configuration);
}
