//! The program with the plugin in it, run as its user would.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

const SECRET: &str = "correct-horse-battery-staple";

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party-plugin"));
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("WASMWIZ_AUTH__USE", "shared_secret").env("WASMWIZ_AUTH__SHARED_SECRET__SECRET", SECRET);
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn plugins_lists_it_beside_the_built_in_ones_and_marks_it_as_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(program(folder.path()).arg("plugins"));
    assert!(text.contains("* shared_secret: lets in whoever knows one shared secret\n"), "{text}");
    assert!(text.contains("\n  api_key: ") && text.contains("* sqlite: "), "{text}");
    assert!(text.contains("secret: what to show, after `shared:`"), "{text}");
}

#[test]
fn config_shows_its_keys_and_hides_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = output(program(folder.path()).args(["config", "show", "--json"]));
    assert!(!text.contains(SECRET), "{text}");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let row = rows.iter().find(|row| row["key"] == "auth.shared_secret.secret").unwrap();
    assert_eq!((&row["value"], &row["source"]), (&"(hidden)".into(), &"WASMWIZ_AUTH__SHARED_SECRET__SECRET".into()));
}

#[test]
fn a_mistake_in_its_section_is_told_with_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path())
        .env("WASMWIZ_AUTH__SHARED_SECRET__TEIR", "free")
        .args(["config", "check"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "wasmwiz: unknown key `auth.shared_secret.teir` (set in WASMWIZ_AUTH__SHARED_SECRET__TEIR); known here: secret, tier\n"
    );
}

#[test]
fn serve_lets_in_whoever_knows_the_secret_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert!(server.status(Some(&format!("shared:{SECRET}"))).contains(" 200 "));
    assert!(server.status(Some("shared:guess")).contains(" 401 "));
    assert!(server.status(None).contains(" 401 "));
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut process = program(folder).args(["serve", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let listening = lines.into_iter().find(|line| line.contains("listens at")).expect("the server starts");
        let address = listening.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        Self { process, address }
    }

    /// Ask for the modules, and give the status line of the answer.
    fn status(&self, token: Option<&str>) -> String {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(socket, "GET /api/wasm/modules HTTP/1.1\r\nHost: x\r\n{authorization}Connection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
