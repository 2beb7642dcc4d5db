//! What `run` and `exec` are told about an execution: arguments, environment, files, entry point, limits.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use wasmwiz_core::{
    execution::{Entrypoint, Number},
    files::{InputFile, check_path},
};

use super::{Failure, text::parse_size};

/// Options of an execution, here or on a server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Execution")]
pub(super) struct InvocationArgs {
    /// An argument for the guest; repeat it for more, or put them all after `--`.
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    args: Vec<String>,
    /// Arguments for the guest, after those of --arg.
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<String>,
    /// A variable of the guest's environment. It sees none of yours.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_env)]
    env: Vec<(String, String)>,
    /// A file for the guest, laid out before it starts under its root `/`, which is also its working directory.
    ///
    /// Without a path of its own it appears under its file name.
    #[arg(long = "file", value_name = "HOST_PATH[:GUEST_PATH]")]
    files: Vec<String>,
    /// Files to bring back at the end, as a pattern of guest paths such as `out/*.json`; `**` goes into folders.
    #[arg(long, value_name = "GLOB", requires = "out")]
    collect: Vec<String>,
    /// The folder that collected files are written to.
    #[arg(long, value_name = "DIR", requires = "collect")]
    out: Option<PathBuf>,
    /// Call an exported function with numbers, instead of starting the program. Its results are printed one a line.
    ///
    /// It takes what follows as parameters: `wasmwiz run add.wasm --invoke add 2 3`.
    #[arg(long, num_args = 1.., value_names = ["FUNCTION", "PARAM"], allow_negative_numbers = true)]
    invoke: Vec<String>,
    /// How long the guest may run, in milliseconds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: Option<u64>,
    /// How much memory the guest may have, in bytes or with a unit (64MiB).
    #[arg(long, value_name = "N", value_parser = parse_size)]
    memory_bytes: Option<u64>,
    /// How much the guest may write to standard output and error together, in bytes or with a unit (10MiB).
    #[arg(long, value_name = "N", value_parser = parse_size)]
    output_bytes: Option<u64>,
    /// How much its files may hold together, in bytes or with a unit.
    #[arg(long, value_name = "N", value_parser = parse_size)]
    file_bytes: Option<u64>,
    /// Write the whole execution as JSON, as the API answers it: output, verdict, usage.
    #[arg(long)]
    pub(super) json: bool,
}

impl InvocationArgs {
    /// The guest's arguments.
    pub(super) fn args(&self) -> Vec<String> {
        self.args.iter().chain(&self.rest).cloned().collect()
    }

    /// The guest's environment.
    pub(super) fn env(&self) -> BTreeMap<String, String> {
        self.env.iter().cloned().collect()
    }

    /// The limits that were asked for, by the names they have in configuration and requests.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let limits = [
            ("timeout_ms", self.timeout_ms),
            ("memory_bytes", self.memory_bytes),
            ("output_bytes", self.output_bytes),
            ("file_bytes", self.file_bytes),
        ];
        limits.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The patterns of files to bring back.
    pub(super) fn patterns(&self) -> &[String] {
        &self.collect
    }

    /// Read the files for the guest.
    pub(super) fn read_files(&self) -> Result<Vec<InputFile>, Failure> {
        self.files.iter().map(|text| read_file(text)).collect()
    }

    /// The function to call.
    pub(super) fn entrypoint(&self) -> Result<Option<Entrypoint>, Failure> {
        let Some((function, params)) = self.invoke.split_first() else { return Ok(None) };
        let params = params.iter().map(|text| parse_number(text)).collect::<Result<_, _>>().map_err(Failure::new)?;
        Ok(Some(Entrypoint { function: function.clone(), params }))
    }

    /// Write what the guest left to the folder named for it.
    pub(super) fn write_files<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<(), Failure> {
        let Some(folder) = &self.out else { return Ok(()) };
        for (path, content) in files {
            write_file(folder, path, content)?;
        }
        Ok(())
    }
}

fn parse_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}

fn parse_number(text: &str) -> Result<Number, String> {
    let integer = text.parse().map(Number::Integer);
    integer.or_else(|_| text.parse().map(Number::Float)).map_err(|_| {
        format!("--invoke: `{text}` is no number; functions are called with numbers such as 42, -1 or 2.5")
    })
}

fn read_file(text: &str) -> Result<InputFile, Failure> {
    let (host, guest) = split_paths(text, |path| path.exists());
    let wrong = |reason: String| Failure::new(format!("--file {text}: {reason}"));
    let guest = match guest {
        Some(guest) => guest,
        None => host
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| wrong("its name cannot be a guest's; write HOST_PATH:GUEST_PATH".into()))?,
    };
    let content =
        fs::read(host).map_err(|error| Failure::io(format_args!("cannot read {}", host.display()), &error))?;
    InputFile::new(guest, Bytes::from(content)).map_err(wrong)
}

/// Tell the host's path from the guest's. A file of the host that is there as written has no guest path beside it.
fn split_paths(text: &str, exists: impl Fn(&Path) -> bool) -> (&Path, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, guest)) if !host.is_empty() && !guest.is_empty() && !exists(Path::new(text)) => {
            (Path::new(host), Some(guest))
        }
        _ => (Path::new(text), None),
    }
}

fn write_file(folder: &Path, path: &str, content: &[u8]) -> Result<(), Failure> {
    // The path came out of a sandbox or from a server: neither decides where on this machine is written.
    check_path(path).map_err(|reason| Failure::new(format!("a file that was left cannot be written: {reason}")))?;
    let target = folder.join(path);
    let written = target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&target, content));
    written.map_err(|error| Failure::io(format_args!("cannot write {}", target.display()), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_a_value() {
        assert_eq!(parse_env("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(parse_env("A="), Ok(("A".into(), String::new())));
        for wrong in ["A", "=b", ""] {
            assert!(parse_env(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_whole_or_not() {
        assert_eq!(parse_number("-7"), Ok(Number::Integer(-7)));
        assert_eq!(parse_number("18446744073709551615"), Ok(Number::Integer(u64::MAX.into())));
        assert_eq!(parse_number("2.5"), Ok(Number::Float(2.5)));
        assert_eq!(parse_number("-inf"), Ok(Number::Float(f64::NEG_INFINITY)));
        assert!(parse_number("two").is_err());
    }

    #[test]
    fn a_guest_path_follows_the_last_colon() {
        let split = |text: &'static str, there: &'static str| split_paths(text, move |path| path == Path::new(there));
        assert_eq!(split("a.txt:in/a.txt", "a.txt"), (Path::new("a.txt"), Some("in/a.txt")));
        assert_eq!(split("a.txt", "a.txt"), (Path::new("a.txt"), None));
        assert_eq!(split("12:30.log", "12:30.log"), (Path::new("12:30.log"), None));
        assert_eq!(split("12:30.log:log", "12:30.log"), (Path::new("12:30.log"), Some("log")));
        assert_eq!(split("a.txt:", ""), (Path::new("a.txt:"), None));
    }

    #[test]
    fn files_are_read_under_the_name_the_guest_sees() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "x").unwrap();
        let file = read_file(&path.display().to_string()).unwrap();
        assert_eq!((file.path.as_str(), file.content.as_deref()), ("a.txt", Some(&b"x"[..])));
        assert_eq!(read_file(&format!("{}:/in/b", path.display())).unwrap().path, "in/b");
        let error = read_file(&format!("{}:../b", path.display())).unwrap_err();
        assert!(error.message().contains("must not contain `..`"), "{}", error.message());
        assert!(read_file("/nowhere/at/all").unwrap_err().message().starts_with("cannot read /nowhere/at/all: "));
    }

    #[test]
    fn what_a_guest_left_never_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        write_file(&out, "a/b.txt", b"x").unwrap();
        assert_eq!(fs::read(out.join("a/b.txt")).unwrap(), b"x");
        for path in ["../evil", "/etc/evil", "a/../../evil", ""] {
            assert!(write_file(&out, path, b"x").is_err(), "{path}");
        }
    }
}
