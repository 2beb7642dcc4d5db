//! The program as somebody at a terminal, or a script, starts it.

use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tempfile::TempDir;

/// How long the program may run: one that should be refused must not serve for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to start the program in.
pub(crate) struct Terminal {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What the program said when it had ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Assert that all went well and nothing was complained about.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Assert that it was refused with this code, and give what was said.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.starts_with("wasmwiz: "), "{self:?}");
        assert!(!self.stderr.contains("panicked at"), "{self:?}");
        self.stderr.trim_end()
    }
}

impl Terminal {
    /// Be in an empty folder, with no variables.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() }
    }

    /// Set a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Write a file into the folder, and give its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }

    /// Start the program with pipes.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmwiz"));
        command.env_clear().envs(self.variables.iter().cloned()).current_dir(self.folder()).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Run the program to its end, with nothing to read.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.pipe(args, "")
    }

    /// Run the program to its end, with input.
    pub(crate) fn pipe(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ended {
        let mut child = self.start(args);
        let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.as_ref().to_vec());
        // Who does not read it all is not to blame.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let (ended, wait) = mpsc::channel::<()>();
        let pid = child.id().to_string();
        let watch = std::thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        let output = child.wait_with_output().expect("it ends");
        drop(ended);
        watch.join().expect("the watch ends");
        writer.join().expect("the writer ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ended { code: output.status.code(), stdout: output.stdout, stderr }
    }
}
