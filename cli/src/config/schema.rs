//! The JSON Schema of the configuration file, made of the list of parameters.

use serde_json::{Map, Value, json};
use tapelog::{Parameter, Shape, parameters};

/// A duration as a file says it, such as `250ms` or `1h 30m`.
const DURATION: &str = r"^ *\+?[0-9].*[a-zA-Zµ] *$";

/// The schema: the parameters at the top, or in a table `tapelog` of a larger file.
pub(super) fn schema() -> Value {
    let properties: Map<String, Value> =
        parameters().iter().map(|known| (known.key.to_owned(), property(known))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tapelog configuration",
        "description": "tapelog.toml: the parameters at the top, or in a table [tapelog] of a \
                        larger file.",
        "type": "object",
        "if": {"properties": {"tapelog": {"type": "object"}}, "required": ["tapelog"]},
        "then": {"properties": {"tapelog": {"$ref": "#/$defs/configuration"}}},
        "else": {"$ref": "#/$defs/configuration"},
        "$defs": {
            "configuration": {
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
            },
        },
    })
}

fn property(parameter: &Parameter) -> Value {
    let meaning: Vec<&str> = parameter.meaning.lines().map(str::trim).collect();
    let default = parameter.follows().unwrap_or(&parameter.default);
    let running = if parameter.changeable { "while running" } else { "by a restart" };
    let description = format!(
        "{} Accepted: {}. Default: {default}. Changeable {running}.",
        meaning.join(" "),
        parameter.accepted
    );
    let mut property = of_shape(&parameter.shape);
    if let Value::Object(members) = &mut property {
        members.insert("description".to_owned(), description.into());
    }
    property
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => either(json!({"type": "boolean"}), words(FLAGS)),
        Shape::Words(known) => words(known),
        Shape::Path => json!({"type": "string", "minLength": 1}),
        Shape::Number { min, max } => either(integer(*min, *max), pattern("^ *[0-9_]+ *$")),
        Shape::Bytes { min, max } => {
            either(integer(*min, *max), pattern("^ *[0-9][0-9_]* *([kKmMgG]([iI])?)?[bB]? *$"))
        }
        Shape::Duration { .. } => either(json!({"const": 0}), duration()),
        Shape::Mode { min } => {
            let owner = format!("[{}-7]", min >> 6);
            let written = format!("^ *(0o)?0?{owner}[0-7]{{2}} *$");
            either(integer((*min).into(), 0o777), pattern(&written))
        }
        Shape::WordsOrSpans { words: known, spans } => {
            let spans = format!("^ *({}) *\\(.+\\) *$", alternatives(spans));
            either(words(known), pattern(&spans))
        }
        Shape::List => json!({
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}],
        }),
        Shape::Optional(inner) => either(words(&["none"]), of_shape(inner)),
        Shape::WordsOrNumber { words: known, max } => {
            either(words(known), either(integer(0, *max), pattern("^ *[0-9]+ *$")))
        }
        // `Text`, and kinds that are newer than this program.
        _ => json!({"type": "string"}),
    }
}

const FLAGS: &[&str] = &["true", "false", "yes", "no", "on", "off", "1", "0"];

/// Texts that are one of the words, in any letter case; a level has other names, too.
fn words(words: &[&str]) -> Value {
    let more = if words.contains(&"critical") && words.contains(&"trace") {
        "|[wW][aA][rR][nN]|[fF][aA][tT][aA][lL]"
    } else {
        ""
    };
    pattern(&format!("^ *({}{more}) *$", alternatives(words)))
}

fn alternatives(words: &[&str]) -> String {
    let any_case = |word: &&str| -> String {
        let class = |c: char| match c {
            c if c.is_ascii_alphabetic() => {
                format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase())
            }
            c => c.to_string(),
        };
        word.chars().map(class).collect()
    };
    let words: Vec<String> = words.iter().map(any_case).collect();
    words.join("|")
}

fn duration() -> Value {
    either(pattern(DURATION), pattern("^ *0 *$"))
}

fn pattern(regex: &str) -> Value {
    json!({"type": "string", "pattern": regex})
}

fn integer(min: u64, max: u64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

fn either(one: Value, other: Value) -> Value {
    json!({"anyOf": [one, other]})
}
