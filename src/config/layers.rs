//! The layers of the configuration, and how one lies over the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::describe::Parameter;
use super::environment::Environment;
use super::error::{ConfigError, Origin, Problem};
use super::form::Shape;
use super::masking::{MaskKey, PATTERNS_MAX, compile_pattern};
use super::parameters::{Configuration, Settings};
use super::raw::Raw;
use super::{describe, environment, formats, presets, suggest};

/// What the environment variables begin with, unless the program says otherwise.
pub(super) const PREFIX: &str = "TAPELOG_";

/// Everything that a configuration is made of, so that it can be made again while running.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    /// `.defaults(…)`.
    pub(crate) defaults: Settings,
    /// The builder's methods.
    pub(crate) code: Settings,
    /// The parsed command line.
    pub(crate) arguments: Settings,
    /// Whether neither file nor environment is read.
    pub(crate) code_only: bool,
    /// What the environment variables begin with.
    pub(crate) prefix: String,
    /// The file that the program names, and where it does.
    pub(crate) file: Option<(PathBuf, Origin)>,
    /// What relative paths are relative to: the working directory at the start, also where the host
    /// changes it later.
    pub(crate) home: Option<PathBuf>,
    /// Whether a file that nobody names was read at the start, so that it must still be there.
    pub(crate) file_found: bool,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            defaults: Settings::default(),
            code: Settings::default(),
            arguments: Settings::default(),
            code_only: false,
            prefix: PREFIX.to_owned(),
            file: None,
            home: None,
            file_found: false,
        }
    }
}

impl Layers {
    /// Reads the file and the environment, unless told not to, and puts everything together.
    ///
    /// # Errors
    /// [`ConfigError`] lists every problem.
    pub(crate) fn resolve(&self) -> Result<Configuration, ConfigError> {
        let Read { environment, file, broken, layers } = self.read();
        let mut configuration =
            Configuration::put_together(self.in_order(file, &environment), broken)?;
        let mut warnings = self.overruled(&environment, &configuration);
        configuration.trail.once_from = warnings.len();
        warnings.extend(environment.unknown.iter().map(|name| self.unknown(name)));
        configuration.trail.warnings = warnings;
        configuration.trail.layers = Some(Arc::new(layers));
        Ok(configuration)
    }

    /// What to mask according to any layer that can be read, whatever else is wrong with them: keys, and
    /// patterns, those of the highest layers if there are too many. Names that a layer takes out stay in.
    pub(crate) fn masks(&self) -> (Vec<String>, Vec<String>) {
        let Read { environment, file, .. } = self.read();
        let (mut keys, mut patterns) = (Vec::new(), Vec::new());
        for (_, layer) in self.in_order(file, &environment).into_iter().rev() {
            keys.extend(layer.mask_keys.into_iter().flatten());
            patterns.extend(layer.mask_patterns.into_iter().flatten());
        }
        keys.retain(|key| MaskKey::parse(key).is_some_and(|key| !key.removed));
        patterns.retain(|pattern| compile_pattern(pattern).is_ok());
        patterns.truncate(PATTERNS_MAX);
        (keys, patterns)
    }

    /// Reads the file and the environment, unless told not to.
    fn read(&self) -> Read {
        let mut layers = self.clone();
        if layers.home.is_none() {
            layers.home = std::env::current_dir().ok();
        }
        if self.code_only {
            return Read { layers, ..Read::default() };
        }
        let environment = environment::read(&self.prefix);
        let named = self.file.as_ref().or(environment.file.as_ref());
        let home = layers.home.as_deref().unwrap_or(Path::new(""));
        let (file, broken) = match read_file(named, home, self.file_found) {
            Ok(file) => (file, None),
            Err(problem) => (None, Some(*problem)),
        };
        layers.file_found |= named.is_none() && file.is_some();
        Read { environment, file: file.unwrap_or_default(), broken, layers }
    }

    /// The layers and where their values come from, the lowest first.
    fn in_order(&self, file: Settings, environment: &Environment) -> [(Origin, Settings); 5] {
        let argument = Origin::Argument { name: "of the command line".to_owned() };
        [
            (Origin::CodeDefault, self.defaults.clone()),
            (Origin::Default, file),
            (Origin::Default, environment.settings.clone()),
            (Origin::Code, self.code.clone()),
            (argument, self.arguments.clone()),
        ]
    }

    /// A warning for each variable that says something else than the program's code, which wins.
    fn overruled(&self, environment: &Environment, effective: &Configuration) -> Vec<String> {
        let in_force = effective.shown();
        let code = self.code.shown();
        let lost = |(key, value): (&'static str, Raw)| {
            let differs = in_force.iter().any(|(known, other)| *known == key && *other != value);
            let set = code.iter().any(|(set, _)| *set == key);
            // "none" says no more than nothing does.
            if !set && value == Raw::text("none") {
                return None;
            }
            let winner = if set { key } else { formats::partner(key)? };
            // What is left of a value that lost in part comes from the variable itself.
            let lost = !matches!(effective.origin(key), Origin::Argument { .. });
            if !differs || !lost || effective.origin(winner) != Origin::Code {
                return None;
            }
            let left = in_force.iter().find(|(known, _)| *known == key);
            let left = left.filter(|_| effective.origin(key).layer() < Origin::Code.layer());
            let left =
                left.map_or_else(String::new, |(_, left)| format!("; of it, {left} is in force"));
            Some(format!(
                "the environment variable {variable} = {value} loses to {winner} = {winning}, \
                 which the program's code sets{left}; only the command line overrides that",
                variable = describe::variable(&self.prefix, key),
                value = environment.settings.written(key).unwrap_or_else(|| value.to_string()),
                winning = effective.written(winner),
            ))
        };
        let lost = environment.settings.shown().into_iter().filter_map(lost);
        self.overruled_file(environment).into_iter().chain(lost).collect()
    }

    /// The same for the variable that names a file.
    fn overruled_file(&self, environment: &Environment) -> Option<String> {
        let (Some((path, Origin::Code)), Some((other, Origin::Environment { variable }))) =
            (&self.file, &environment.file)
        else {
            return None;
        };
        let [lost, read] = [other, path].map(|path| Raw::text(path.to_string_lossy()));
        (other != path).then(|| {
            format!(
                "the environment variable {variable} = {lost} loses to the configuration file {read}, \
                 which the program's code names: unset the variable, or change that file"
            )
        })
    }

    /// A warning for a variable that begins as ours do and is none.
    fn unknown(&self, name: &str) -> String {
        let key = name.strip_prefix(&self.prefix).unwrap_or(name);
        let meant = suggest::key(key).map_or_else(String::new, |key| {
            format!("; did you mean {}?", describe::variable(&self.prefix, &key))
        });
        format!("the environment variable {name} names no parameter and is ignored{meant}")
    }
}

/// What was read from outside of the program.
#[derive(Default)]
struct Read {
    environment: Environment,
    file: Settings,
    /// Why the file could not be read.
    broken: Option<Problem>,
    /// The layers, for when they are read again.
    layers: Layers,
}

/// The file's settings; none where nobody names one, none is there, and none need be.
#[cfg(feature = "config-file")]
fn read_file(
    named: Option<&(PathBuf, Origin)>,
    home: &Path,
    must_be_there: bool,
) -> Result<Option<Settings>, Box<Problem>> {
    super::file::read(named, home, must_be_there)
}

/// Without the feature `config-file` there is none; who names one is told.
#[cfg(not(feature = "config-file"))]
fn read_file(
    named: Option<&(PathBuf, Origin)>,
    _home: &Path,
    _must_be_there: bool,
) -> Result<Option<Settings>, Box<Problem>> {
    let Some((path, origin)) = named else { return Ok(None) };
    Err(Box::new(Problem {
        key: "configuration file".to_owned(),
        value: Raw::text(path.to_string_lossy()).to_string(),
        origin: origin.clone(),
        accepted: "this program was built without tapelog's feature `config-file`".to_owned(),
        suggestion: None,
    }))
}

/// Where the values of a configuration came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    /// The parameters that were set; the last entry of each counts.
    pub(super) given: Vec<Given>,
    /// What an operator should know.
    pub(super) warnings: Vec<String>,
    /// Where those begin that a process tells once, however many loggers it has.
    pub(super) once_from: usize,
    /// What it was made of; none in tests that lay their own layers.
    pub(super) layers: Option<Arc<Layers>>,
}

/// How a value was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    /// The parameter.
    pub(super) key: &'static str,
    /// Where it came from, if not from where its layer comes from.
    pub(super) origin: Option<Origin>,
    /// The value as it was written; none if code gave it as it is.
    pub(super) written: Option<String>,
}

/// A value that could not be read, or a key that does not exist.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unread {
    /// The key as given.
    pub(super) key: String,
    /// Its value.
    pub(super) raw: Raw,
    /// Where it came from, if not from where its layer comes from.
    pub(super) origin: Option<Origin>,
}

impl Unread {
    fn problem(&self, layer: &Origin) -> Problem {
        let Unread { key, raw, origin } = self;
        let written = if let Raw::Text(text) = raw { text } else { "" };
        let (accepted, suggestion) = match describe::parameter(key) {
            Some(known) => {
                let how = match known.shape {
                    Shape::Bytes { .. } => ", a whole number with its unit, such as 10MiB",
                    Shape::Duration { .. } => ", with its unit, such as 250ms or 50us",
                    _ => "",
                };
                (accepted(known.accepted) + how, suggest::word(known, written))
            }
            None => {
                let meant = suggest::key(key);
                let all = if meant.is_some() { "" } else { "; `tapelog config show` lists all" };
                (format!("there is no such parameter{all}"), meant)
            }
        };
        let origin = origin.as_ref().unwrap_or(layer).clone();
        // A key of a file that resembles none of ours may be of something else in the same table: its
        // value is not ours to show, it may be a secret.
        let known = describe::parameter(key).is_some() || suggestion.is_some();
        let shown = known || !matches!(origin, Origin::File { .. });
        Problem {
            key: key.clone(),
            value: if shown { raw.to_string() } else { "…".to_owned() },
            origin,
            accepted,
            suggestion,
        }
    }
}

/// How an error says what would have been right.
pub(super) fn accepted(what: &str) -> String {
    format!("accepted is {what}")
}

impl Settings {
    /// Sets a parameter by its name, with a value as an environment variable says it: `"10MiB"`,
    /// `"250ms"`, `"true"`. A name that does not exist, and a value that is none, are refused when
    /// the configuration is put together.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.read(key, Raw::text(value), None);
        self
    }

    /// Takes back what is known of how a parameter was given.
    pub(super) fn forget(&mut self, key: &str) {
        self.given.retain(|given| given.key != key);
    }

    /// How a parameter was given last.
    fn given(&self, key: &str) -> Option<&Given> {
        self.given.iter().rev().find(|given| given.key == key)
    }

    /// A parameter's value as it was written.
    fn written(&self, key: &str) -> Option<String> {
        self.given(key)?.written.clone()
    }
}

impl Configuration {
    /// Lays the layers over the built-in defaults, lowest first, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] lists every value that is none or out of its range, and every unknown key.
    pub(crate) fn resolve(
        layers: impl IntoIterator<Item = (Origin, Settings)>,
    ) -> Result<Self, ConfigError> {
        Self::put_together(layers, None)
    }

    /// The same, beside a problem that is known already.
    fn put_together(
        layers: impl IntoIterator<Item = (Origin, Settings)>,
        known: Option<Problem>,
    ) -> Result<Self, ConfigError> {
        let layers: Vec<(Origin, Settings)> = layers.into_iter().collect();
        let mut configuration = Self::built_in();
        let mut given = Vec::new();
        let preset = layers.iter().rev().find_map(|(_, layer)| layer.preset).flatten();
        let preset = preset.map(|preset| (Origin::Preset(preset), presets::settings(preset)));
        for (origin, layer) in preset.iter().chain(&layers) {
            layer.lay_over(&mut configuration);
            for (key, _) in layer.shown() {
                let own = layer.given(key).and_then(|given| given.origin.as_ref());
                let origin = Some(own.unwrap_or(origin).clone());
                given.push(Given { key, origin, written: layer.written(key) });
            }
        }
        configuration.trail = Trail { given, ..Trail::default() };
        configuration.follow_defaults();
        let unread = layers.iter().flat_map(|(origin, layer)| {
            layer.unread.iter().map(move |unread| unread.problem(origin))
        });
        let problems = configuration.check(known.into_iter().chain(unread).collect());
        if problems.is_empty() { Ok(configuration) } else { Err(ConfigError::new(problems)) }
    }

    /// Where a parameter's value came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let follows = || describe::parameter(key).and_then(Parameter::follows);
        let set = self.given(key).and_then(|given| given.origin.clone());
        set.unwrap_or_else(|| follows().map_or(Origin::Default, Origin::Follows))
    }

    /// A parameter's value as it was written; if code gave it as it is, as a file says it.
    pub(super) fn written(&self, key: &str) -> String {
        let shown = || self.shown().into_iter().find(|(known, _)| *known == key);
        let written = self.given(key).and_then(|given| given.written.clone());
        written.or_else(|| shown().map(|(_, value)| value.to_string())).unwrap_or_default()
    }

    /// How the value that counts was given.
    fn given(&self, key: &str) -> Option<&Given> {
        self.trail.given.iter().rev().find(|given| given.key == key)
    }

    /// What an operator should know: variables that lose to the program's code, and variables that
    /// name no parameter. A running logger has these as WARNING entries.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.trail.warnings
    }

    /// Hands the warnings to `tell`, which says whether it told them; those of unknown variables
    /// only if no logger of this process did before.
    pub(crate) fn tell_warnings(&self, mut tell: impl FnMut(&str) -> bool) {
        let (each, once) = self.trail.warnings.split_at(self.trail.once_from);
        for warning in each {
            // Where there is no room for it, logging goes on.
            let _told = tell(warning);
        }
        environment::tell_once(once, tell);
    }

    /// Makes the configuration again of what it was made of, from the file and the environment as
    /// they are now.
    ///
    /// # Errors
    /// [`ConfigError`], as at the start.
    pub(crate) fn reread(&self) -> Result<Configuration, ConfigError> {
        let Some(layers) = &self.trail.layers else { return Ok(self.clone()) };
        layers.resolve().map(Configuration::at_home)
    }

    /// The same with an absolute `log_dir`, for an engine: the host may change its working directory.
    pub(crate) fn at_home(mut self) -> Configuration {
        if let Some(home) = self.trail.layers.as_ref().and_then(|layers| layers.home.as_ref()) {
            self.log_dir = home.join(&self.log_dir);
        }
        self
    }

    /// The parameters that differ.
    pub(crate) fn differing(&self, other: &Configuration) -> Vec<&'static str> {
        let pairs = self.shown().into_iter().zip(other.shown());
        pairs.filter(|(own, other)| own.1 != other.1).map(|(own, _)| own.0).collect()
    }

    /// Whether any layer sets a parameter.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.given(key).is_some()
    }
}
