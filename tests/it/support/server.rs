//! A real server in a process of its own, on a free port and in a temporary folder.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    ops::Deref,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::Client;

/// A server that ends with the test.
pub(crate) struct TestServer {
    process: Child,
    folder: TempDir,
    client: Client,
    key: Option<String>,
}

/// A server is used as its administrator would, if it needs a login.
impl Deref for TestServer {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

/// How to start a server.
#[derive(Default)]
pub(crate) struct Builder {
    config: String,
    login: bool,
}

impl Builder {
    /// Add lines of TOML to the server's configuration.
    pub(crate) fn with(mut self, toml: &str) -> Self {
        let _ = writeln!(self.config, "{toml}");
        self
    }

    /// Let only callers with a key in. The server's administrator's key is used for every request.
    pub(crate) fn with_login(self) -> Self {
        Self { login: true, ..self.with("[auth]\nuse = [\"api_key\"]") }
    }

    /// Start it, and wait until it listens.
    pub(crate) async fn start(self) -> TestServer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = self.login.then(admin_key);
        std::fs::write(folder.path().join("test.toml"), self.config).expect("a config file");
        let client = Client::new(String::new(), key.clone(), folder.path().join("server.log"));
        let mut server = TestServer { process: launch(folder.path(), key.as_deref()), folder, client, key };
        server.client.url = read_address(&mut server.process);
        server
    }
}

/// Start the program on the data in `folder`.
fn launch(folder: &Path, key: Option<&str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmwiz"));
    // The test's own environment and folder must not reach the server's configuration.
    command.env_clear().current_dir(folder);
    command.args(["serve", "--port", "0", "--data-dir", "data", "--config", "test.toml"]);
    if let Some(key) = key {
        command.env("WASMWIZ_BOOTSTRAP_KEY", key);
    }
    let log = std::fs::File::options().append(true).create(true).open(folder.join("server.log")).expect("a log file");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    command.spawn().expect("the program starts")
}

/// Read the address that the server prints once it listens. What it prints afterwards is read away.
fn read_address(process: &mut Child) -> String {
    let stdout = process.stdout.take().expect("its output is a pipe");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let address =
        lines.find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned));
    std::thread::spawn(move || lines.for_each(drop));
    address.expect("the server prints its address")
}

fn admin_key() -> String {
    use wasmwiz_core::{api_key::KeySecret, system::SystemRandom};
    KeySecret::generate(&SystemRandom).expose().to_owned()
}

impl TestServer {
    /// Describe a server: development profile, embedded plugins, quotas out of the way.
    pub(crate) fn builder() -> Builder {
        Builder::default()
            .with("[log]\nfilter = \"info\"")
            .with("[auth.none]\ntier = \"pro\"")
            .with("[policy.tiered.tiers.pro]\nrequests_per_minute = 0\nconcurrent_executions = 200")
    }

    /// A server as [`TestServer::builder`] describes it.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// The folder the server runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that the server ever had in use, in bytes.
    pub(crate) fn peak_resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells the peak");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// Send the server a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Wait for the server to end by itself, and tell its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not end");
    }

    /// Start it again on the same data.
    pub(crate) fn restart(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.process = launch(self.folder.path(), self.key.as_deref());
        self.client.url = read_address(&mut self.process);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}
