//! `tapelog new`: a cargo project with a strategy that logs.

mod configuration;
mod name;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::failure::{Failure, escaped, outln};
use crate::shell;
use name::{BadName, ProjectName};

/// The files of a project, but for `tapelog.toml`, which is made of the parameters themselves.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("src/main.rs", include_str!("template/main.rs")),
    ("src/feed.rs", include_str!("template/feed.rs")),
    ("README.md", include_str!("template/README.md")),
    (".gitignore", include_str!("template/gitignore")),
];

/// What this program was built from.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Writes a new cargo project with a strategy that logs.
///
/// It has a strategy on a small generated market, and a tapelog.toml with every parameter of the
/// logging. Either the whole project is there afterwards, or nothing.
///
/// Exit code: 0 if the project was written, 1 if not, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's name: a crate name, such as my-bot. Its directory is called the same.
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the project's directory is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// A checkout of tapelog to build with [default: the one that this program was built from, or its
    /// git repository where that is gone]
    #[arg(long, value_name = "DIR")]
    tapelog_path: Option<PathBuf>,
}

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("{} is there already: choose another name or another --path", .0.display())]
    Exists(PathBuf),
    #[error("no project can be written to {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error(
        "{} is no checkout of tapelog: --tapelog-path names the directory of its Cargo.toml",
        .0.display()
    )]
    NoCheckout(PathBuf),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let name = ProjectName::check(&arguments.name)?;
    let tapelog = match &arguments.tapelog_path {
        Some(path) => local(path)?,
        None => own_source(),
    };
    let project = arguments.path.join(name.as_str());
    write(&project, &arguments.path, name, &tapelog)?;
    let shown = escaped(&project.display().to_string());
    outln!("{shown} is written; it builds with tapelog from {}. Next:", escaped(&tapelog));
    outln!("  cd {} && cargo run --release", shell::word(&project.to_string_lossy()));
    Ok(ExitCode::SUCCESS)
}

/// The dependency on what this program was built from: a checkout, if that is still there and not one of
/// cargo's own, which come and go.
fn own_source() -> String {
    let of_cargo = |path: &Path| path.components().any(|part| part.as_os_str() == ".cargo");
    let checkout = Path::new(CHECKOUT).canonicalize().ok().filter(|path| !of_cargo(path));
    let checkout = checkout.and_then(|path| local(&path).ok());
    checkout.unwrap_or_else(|| format!("git = \"{}\"", env!("CARGO_PKG_REPOSITORY")))
}

/// The dependency on a checkout.
fn local(path: &Path) -> Result<String, NewError> {
    let no_checkout = || NewError::NoCheckout(path.to_owned());
    let root = path.canonicalize().map_err(|_| no_checkout())?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(|_| no_checkout())?;
    // TOML takes what stands between apostrophes as it is, but no apostrophe and no line feed.
    let text = root.to_str().filter(|text| !text.contains(['\'', '\n', '\r']));
    let is_tapelog = manifest.lines().any(|line| line.trim() == "name = \"tapelog\"");
    let text = text.filter(|_| is_tapelog).ok_or_else(no_checkout)?;
    Ok(format!("path = '{text}'"))
}

/// Writes the project beside its place, and then moves it there in one step.
fn write(
    project: &Path,
    parent: &Path,
    name: ProjectName<'_>,
    tapelog: &str,
) -> Result<(), NewError> {
    if project.symlink_metadata().is_ok() {
        return Err(NewError::Exists(project.to_owned()));
    }
    let failed = |source| NewError::Write(project.to_owned(), source);
    let scratch = tempfile::Builder::new().prefix(".tapelog-new-").tempdir_in(parent);
    let scratch = scratch.map_err(failed)?;
    // A directory of its own in there: its permissions are the usual ones.
    let made = scratch.path().join(name.as_str());
    fs::create_dir_all(made.join("src")).map_err(failed)?;
    for (file, text) in TEMPLATE {
        let text = text.replace("{{name}}", name.as_str()).replace("{{tapelog}}", tapelog);
        fs::write(made.join(file), text).map_err(failed)?;
    }
    fs::write(made.join("tapelog.toml"), configuration::text(name.as_str())).map_err(failed)?;
    match renameat_with(CWD, &made, CWD, project, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(NewError::Exists(project.to_owned())),
        // The file system knows no such renaming; whether something is there was asked above.
        Err(rustix::io::Errno::INVAL) => fs::rename(&made, project).map_err(failed),
        Err(error) => Err(failed(error.into())),
    }
}
