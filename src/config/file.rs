//! The layer of the configuration file.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::describe::parameter;
use super::error::{Origin, Problem};
use super::parameters::Settings;
use super::raw::Raw;
use super::suggest;

/// The file in the working directory that is read when none is named.
pub(super) const NAME: &str = "tapelog.toml";
/// The table of a larger file that is ours.
const TABLE: &str = "tapelog";
/// A configuration is no longer than this.
const BYTES_MAX: u64 = 1 << 20;

/// Why a configuration file is not read, and what to do.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("it cannot be read ({0}): correct the path or its rights")]
    Failed(#[from] io::Error),
    #[error("it is {0}: a configuration is a plain file; name one, or remove this")]
    NoFile(&'static str),
    #[error("it is longer than 1 MiB, which no configuration is: name another file")]
    TooLong,
    #[error("it is no text in UTF-8: name another file, or save it as UTF-8")]
    NoText,
    #[error(
        "it belongs to user {owner}, and this process runs as user {user}: a tapelog.toml that \
         nobody named is read if it is the user's own or root's; name it if it is to count, or \
         remove it"
    )]
    Foreign { owner: u32, user: u32 },
}

/// Reads the file that is named, or `tapelog.toml` in the directory `home`: that may be missing, unless
/// it must be there because it was.
pub(super) fn read(
    named: Option<&(PathBuf, Origin)>,
    home: &Path,
    must_be_there: bool,
) -> Result<Option<Settings>, Box<Problem>> {
    let path = named.map_or(Path::new(NAME), |(path, _)| path);
    let may_be_missing = named.is_none() && !must_be_there;
    let text = match text_of(&home.join(path), named.is_some()) {
        Ok(text) => text,
        Err(Unreadable::Failed(error))
            if may_be_missing && error.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(None);
        }
        Err(reason) => {
            let origin = named.map(|(_, origin)| origin.clone());
            return Err(Box::new(Problem {
                key: "configuration file".to_owned(),
                value: Raw::text(path.to_string_lossy()).to_string(),
                origin: origin.unwrap_or_else(|| whole(path)),
                accepted: reason.to_string(),
                suggestion: None,
            }));
        }
    };
    parse(path, &text).map(Some)
}

/// The file's text. Whatever stands at the path, it takes neither long nor much memory to say no.
fn text_of(path: &Path, named: bool) -> Result<String, Unreadable> {
    // Before opening, because to open a device can have effects of its own.
    refuse_unless_plain(&fs::metadata(path)?)?;
    // Something else may take the path in between: no pipe is waited for, no terminal taken.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let found = file.metadata()?;
    refuse_unless_plain(&found)?;
    let (owner, user) = (found.uid(), geteuid().as_raw());
    // In a directory that others may write to, anybody can leave one.
    if !named && owner != user && owner != 0 {
        return Err(Unreadable::Foreign { owner, user });
    }
    let mut bytes = Vec::new();
    // The length that the system tells may be wrong: some files in `/proc` have none.
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    String::from_utf8(bytes).map_err(|_| Unreadable::NoText)
}

fn refuse_unless_plain(found: &Metadata) -> Result<(), Unreadable> {
    let kind = found.file_type();
    Err(Unreadable::NoFile(match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }))
}

fn whole(path: &Path) -> Origin {
    Origin::File { path: path.to_owned(), line: None }
}

/// Reads the text of a file: the table `[tapelog]` if it has one, otherwise all of it.
pub(super) fn parse(path: &Path, text: &str) -> Result<Settings, Box<Problem>> {
    let at = |offset: usize| Origin::File {
        path: path.to_owned(),
        line: Some(text[..offset.min(text.len())].matches('\n').count() + 1),
    };
    let document = DeTable::parse(text).map_err(|error| {
        Box::new(Problem {
            key: "configuration file".to_owned(),
            value: Raw::text(path.to_string_lossy()).to_string(),
            origin: error.span().map_or_else(|| whole(path), |span| at(span.start)),
            accepted: format!("it is no TOML: {}", error.message().replace('\n', ", ")),
            suggestion: None,
        })
    })?;
    let root = document.get_ref();
    let table = match root.get(TABLE).map(|ours| ours.get_ref()) {
        Some(DeValue::Table(ours)) => ours,
        _ => root,
    };
    let is_ours = |key: &str| parameter(key).is_some() || suggest::key(key).is_some();
    if std::ptr::eq(table, root)
        && !root.is_empty()
        && !root.keys().any(|key| is_ours(key.get_ref()))
    {
        return Err(Box::new(Problem {
            key: "configuration file".to_owned(),
            value: Raw::text(path.to_string_lossy()).to_string(),
            origin: whole(path),
            accepted:
                "it has no table [tapelog], and none of its keys is a parameter: put what is meant \
                       for tapelog under [tapelog], or name another file"
                    .to_owned(),
            suggestion: None,
        }));
    }
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut settings = Settings::default();
    let (mut line, mut counted) = (1, 0);
    for (key, value) in keys {
        let begin = key.span().start;
        // From key to key: a file of nothing but keys is read once, not once for each.
        line += text[counted..begin].matches('\n').count();
        counted = begin;
        let origin = Origin::File { path: path.to_owned(), line: Some(line) };
        settings.read(key.get_ref(), raw(value, text), Some(origin));
    }
    Ok(settings)
}

/// A value and, where it is none of ours, how `text` has it.
fn raw(value: &Spanned<DeValue<'_>>, text: &str) -> Raw {
    let written = &text[value.span()];
    match value.get_ref() {
        DeValue::String(text) => Raw::text(text.as_ref()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            match (i128::from_str_radix(&digits, number.radix()), number.radix()) {
                (Ok(value), 8) => Raw::Octal(value),
                (Ok(value), _) => Raw::Integer(value),
                (Err(_), _) => Raw::Other(written.to_owned()),
            }
        }
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item, text)).collect()),
        DeValue::Table(_) => Raw::Other("a table".to_owned()),
        _ => Raw::Other(written.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Given;
    use super::*;
    use crate::level::Level;

    fn parsed(text: &str) -> Settings {
        parse(Path::new("desk.toml"), text).unwrap()
    }

    #[test]
    fn a_table_of_a_larger_file_is_ours_and_the_rest_is_not() {
        let larger = "log_level = 7\n[strategy]\nfast = 3\n[tapelog]\nlog_level = \"debug\"\n";
        let settings = parsed(larger);
        assert_eq!(settings.log_level, Some(Level::Debug));
        assert!(settings.unread.is_empty());
        let origin = Some(Origin::File { path: "desk.toml".into(), line: Some(5) });
        let written = Some("\"debug\"".to_owned());
        assert_eq!(settings.given, [Given { key: "log_level", origin, written }]);
        assert_eq!(parsed("log_level = \"error\"").log_level, Some(Level::Error));
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let settings = parsed(
            "file_mode = 0o640\ndir_mode = \"0750\"\nring_bytes = 16_777_216\nmlock = true\n\
             mask_keys = [\"pin\", \"-token\"]\nnap = \"100us\"\noverflow = \"block(2ms)\"\n\
             writer_cpu = 0x3\nview_cpu = \"none\"\nfacility = \"local3\"\n",
        );
        assert!(settings.unread.is_empty(), "{:?}", settings.unread);
        assert_eq!((settings.file_mode, settings.dir_mode), (Some(0o640), Some(0o750)));
        assert_eq!((settings.ring_bytes, settings.mlock), (Some(16 << 20), Some(true)));
        assert_eq!((settings.writer_cpu, settings.view_cpu), (Some(Some(3)), Some(None)));
        assert_eq!(settings.facility, Some(19));
    }

    #[test]
    fn values_of_other_programs_are_not_shown() {
        let told = |text: &str| {
            let settings = parse(Path::new("bot.toml"), text)?;
            let layers = [(Origin::Default, settings)];
            let problems = crate::config::Configuration::resolve(layers).unwrap_err();
            Ok::<_, Box<Problem>>(problems.to_string())
        };
        let larger = "api_secret = \"s3cr3t\"\n[venue]\npassword = \"s3cr3t\"\n";
        let problem = told(larger).unwrap_err().to_string();
        assert!(
            problem.contains("bot.toml") && problem.contains("no table [tapelog]"),
            "{problem}"
        );
        assert!(!problem.contains("s3cr3t"), "{problem}");
        let mixed = told("log_levle = \"info\"\napi_secret = \"s3cr3t\"\n").unwrap();
        assert!(mixed.contains("log_levle = \"info\" (from bot.toml, line 1)"), "{mixed}");
        assert!(mixed.contains("api_secret = … (from bot.toml, line 2)"), "{mixed}");
    }

    #[test]
    fn a_file_of_a_mebibyte_costs_what_its_text_costs() {
        let items = format!("{}1.5", "1.5, ".repeat(200_000));
        let settings = parsed(&format!("log_level = [{items}]\n"));
        let [unread] = settings.unread.as_slice() else { panic!("{}", settings.unread.len()) };
        assert_eq!(unread.raw.to_string().len(), items.len() + 2);

        let keys: String = (1..100_000).map(|key| format!("k{key}=1\n")).collect();
        let settings = parsed(&format!("mlock=true\n{keys}"));
        let last = Some(Origin::File { path: "desk.toml".into(), line: Some(100_000) });
        assert_eq!(settings.unread.len(), 99_999);
        assert_eq!(settings.unread.last().unwrap().origin, last);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let problem = parse(Path::new("desk.toml"), "mlock = true\nlog_level = debug\n");
        let problem = problem.unwrap_err().to_string();
        assert!(problem.contains("desk.toml, line 2") && problem.contains("no TOML"), "{problem}");
    }
}
