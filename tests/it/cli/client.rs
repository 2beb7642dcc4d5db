//! `wasmwiz push`, `exec`, `modules`, `keys` and `users`: against a server

use serde_json::json;

use crate::support::{Client, Terminal, TestServer, guest_file};

/// A terminal of somebody who uses a server.
fn terminal(server: &TestServer) -> Terminal {
    Terminal::new().with("WASMWIZ_SERVER", &server.url)
}

/// A terminal of somebody who has a key.
fn with_key(server: &TestServer, client: &Client) -> Terminal {
    terminal(server).with("WASMWIZ_API_KEY", client.key())
}

fn path(guest: &str) -> String {
    guest_file(guest).display().to_string()
}

#[tokio::test]
async fn a_module_is_pushed_executed_looked_at_downloaded_and_deleted() {
    let server = TestServer::start().await;
    let terminal = terminal(&server);
    let pushed = terminal.run(&["push", &path("samples/wordcount"), "--description", "counts"]).well().text();
    assert!(
        pushed.starts_with("stored wordcount@1 (") && pushed.ends_with("Run it: wasmwiz exec wordcount\n"),
        "{pushed}"
    );
    let again = terminal.run(&["push", &path("samples/wordcount")]).well().text();
    assert!(again.starts_with("there already: wordcount@1 ("), "{again}");
    let named =
        terminal.run(&["push", &path("samples/echo"), "--name", "wordcount", "--public", "--json"]).well().json();
    assert_eq!((&named["version"], &named["visibility"]), (&json!(2), &json!("public")));
    let counted = terminal.pipe(&["exec", "wordcount@1", "--", "--json"], "a b a").well().json();
    assert_eq!(counted["words"], 3, "{counted}");
    assert_eq!(terminal.pipe(&["exec", "wordcount"], b"\xff\x00").well().stdout, b"\xff\x00");
    let listed = terminal.run(&["modules", "list"]).well().text();
    assert!(listed.starts_with("NAME ") && listed.lines().count() == 3, "{listed}");
    let listed =
        terminal.run(&["modules", "list", "--json", "--visibility", "public", "--name", "wordcount"]).well().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "one's own and the sample: {listed}");
    let shown = terminal.run(&["modules", "show", "wordcount@1"]).well().text();
    assert!(
        shown.starts_with("module: ") && shown.contains("counts") && shown.contains("wasi_snapshot_preview1.fd_read"),
        "{shown}"
    );
    terminal.run(&["modules", "download", "wordcount@1"]).well();
    let downloaded = std::fs::read(terminal.folder().join("wordcount.wasm")).expect("it is there");
    assert!(downloaded == crate::support::guest("samples/wordcount"));
    let second = terminal.run(&["modules", "download", "wordcount@2"]);
    assert!(second.refused(1).contains("wordcount.wasm"), "a file that is there is kept: {second:?}");
    assert!(terminal.run(&["modules", "download", "wordcount@2", "-o", "-"]).well().stdout.starts_with(b"\0asm"));
    assert_eq!(terminal.run(&["modules", "delete", "wordcount@2"]).well().text(), "deleted wordcount@2\n");
    assert_eq!(server.get("/api/wasm/modules/wordcount").await.ok(200)["version"], 1);
}

#[tokio::test]
async fn exec_ends_as_the_guest_did() {
    let server = TestServer::start().await;
    for guest in ["hostile/exit_code", "hostile/partial_then_loop", "features/stderr_both", "features/files_inout"] {
        server.upload_guest(guest).await;
    }
    let terminal = terminal(&server);
    assert_eq!(terminal.run(&["exec", "exit_code", "--arg", "9"]).code, Some(9));
    let stopped = terminal.run(&["exec", "partial_then_loop", "--timeout-ms", "300"]);
    assert_eq!(stopped.text(), "before\n");
    assert!(stopped.refused(124).contains("set by the request"), "{stopped:?}");
    let both = terminal.run(&["exec", "stderr_both"]).well();
    assert!(both.text().starts_with("to stdout 1\n") && both.stderr.starts_with("to stderr 1\n"), "{both:?}");
    assert_eq!(terminal.run(&["exec", "fibonacci", "--invoke", "add", "2", "-3"]).well().text(), "-1\n");
    let told = terminal.run(&["exec", "exit_code", "--json", "--arg", "3"]);
    assert_eq!((told.code, &told.json()["status"]), (Some(3), &json!("failed")));
    let input = terminal.file("a.txt", "hello");
    let file = format!("{input}:in/a.txt");
    terminal.run(&["exec", "files_inout", "--file", &file, "--collect", "out/**", "--out", "got"]).well();
    assert_eq!(std::fs::read_to_string(terminal.folder().join("got/out/b.txt")).expect("it is there"), "HELLO");
    let missing = terminal.run(&["exec", "nothing"]);
    assert!(missing.refused(125).starts_with("wasmwiz: module `nothing` not found"), "{missing:?}");
    let much = terminal.run(&["exec", "hello", "--timeout-ms", "999999"]);
    let said = much.refused(125);
    assert!(said.contains("limits.timeout_ms") && said.contains("5000") && said.contains("HTTP 422"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_pushed_says_why() {
    let server = TestServer::start().await;
    let terminal = terminal(&server);
    let none = terminal.file("none.wasm", "hello");
    let said = terminal.run(&["push", &none]);
    assert!(said.refused(1).contains("HTTP 422"), "{said:?}");
    let ended = terminal.run(&["push", "missing.wasm"]);
    assert_eq!(ended.refused(1), "wasmwiz: cannot read missing.wasm: No such file or directory (os error 2)");
    let ended = terminal.run(&["push", &path("samples/echo"), "--name", "a b"]);
    assert!(ended.refused(1).starts_with("wasmwiz: --name a b: must be 1 to 64"), "{ended:?}");
    let file = terminal.file("größe.wasm", "x");
    let ended = terminal.run(&["push", &file]);
    assert!(ended.refused(1).contains("give one with --name"), "{ended:?}");
}

#[tokio::test]
async fn keys_and_users_are_made_and_revoked_and_secrets_are_shown_once() {
    let server = TestServer::builder().with_login().start().await;
    let admin = with_key(&server, &server);
    let made = admin.run(&["users", "create", "--name", "ada@example.org", "--tier", "basic"]).well();
    let text = made.text();
    let secret = text.lines().last().expect("the secret is the last line").to_owned();
    assert!(secret.starts_with("ww_") && text.contains("ada@example.org"), "{text}");
    assert!(made.stderr.contains("shown this once"), "{made:?}");
    let listed = admin.run(&["users", "list"]).well().text();
    assert!(listed.starts_with("ID ") && listed.contains("ada@example.org") && !listed.contains("ww_"), "{listed}");
    let ada = with_key(&server, &server.with_key(&secret));
    let key = ada
        .run(&["keys", "create", "--name", "ci", "--scope", "execute", "--expires-in", "30d", "--json"])
        .well()
        .json();
    assert_eq!((&key["scopes"], &key["tier"]), (&json!(["execute"]), &json!("basic")));
    let listed = ada.run(&["keys", "list"]).well().text();
    let tail = &key["secret"].as_str().expect("a secret")[12..];
    assert!(listed.contains(" ci ") && listed.contains("valid") && !listed.contains(tail), "{listed}");
    let id = key["id"].as_str().expect("an id");
    assert_eq!(ada.run(&["keys", "revoke", id]).well().text(), format!("revoked {id}\n"));
    assert!(ada.run(&["keys", "list"]).well().text().contains("revoked"));
    let refused = ada.run(&["users", "list"]);
    assert!(refused.refused(1).contains("scope `admin`"), "{refused:?}");
    let refused = ada.run(&["keys", "create", "--name", "x", "--tier", "pro"]);
    assert!(refused.refused(1).contains("free, basic"), "{refused:?}");
    let twice = admin.run(&["users", "create", "--name", "ada@example.org"]);
    assert!(twice.refused(1).contains("HTTP 409"), "{twice:?}");
}

#[tokio::test]
async fn a_key_comes_from_a_variable_or_a_file_and_is_checked_before_it_is_sent() {
    let server = TestServer::builder().with_login().start().await;
    let nobody = terminal(&server);
    let ended = nobody.run(&["modules", "list"]);
    let said = ended.refused(1);
    assert!(said.contains("HTTP 401") && said.contains("WASMWIZ_API_KEY"), "{said}");
    let file = nobody.file("key", format!("{}\n", server.key()));
    nobody.run(&["modules", "list", "--key-file", &file]).well();
    let mistyped = server.key().replacen("ww_", "ww_x", 1);
    let ended = terminal(&server).with("WASMWIZ_API_KEY", &mistyped).run(&["keys", "list"]);
    assert_eq!(
        ended.refused(1),
        "wasmwiz: WASMWIZ_API_KEY holds no API key: a character is missing, changed or too many"
    );
    let ended = nobody.run(&["modules", "list", "--key-file", "nowhere"]);
    assert!(ended.refused(1).starts_with("wasmwiz: cannot read the key file nowhere: "), "{ended:?}");
}

#[test]
fn a_server_that_is_not_there_says_how_to_start_one() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let url = format!("http://127.0.0.1:{port}");
    let terminal = Terminal::new();
    let file = path("samples/echo");
    for command in [vec!["modules", "list"], vec!["exec", "hello"], vec!["push", &file], vec!["keys", "list"]] {
        let ended = terminal.run(&[command.as_slice(), &["--server", &url]].concat());
        let code = if command[0] == "exec" { 125 } else { 1 };
        let said = ended.refused(code);
        assert!(said.starts_with(&format!("wasmwiz: no server answers at {url} (")), "{said}");
        assert!(said.contains("wasmwiz serve"), "{said}");
    }
    let ended = terminal.run(&["modules", "list", "--server", "localhost"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("write http://HOST:PORT"), "{ended:?}");
}
