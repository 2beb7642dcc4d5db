//! `wasmwiz serve`: how a server starts, ends, and what it has kept when it starts again

use std::{
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, Raw, Terminal, TestServer};

/// Ask for an execution, and begin to wait for its answer.
fn spawn(server: &TestServer, module: &str, args: &[&str]) -> tokio::task::JoinHandle<Answer> {
    let client: Client = (**server).clone();
    let body = json!({"module": module, "args": args});
    tokio::spawn(async move { client.post("/api/wasm/execute", &body).await })
}

async fn records(server: &TestServer) -> Vec<Value> {
    let page = server.get("/api/executions?limit=100").await.ok(200);
    page["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_request_that_runs_when_the_server_is_stopped_is_answered_and_recorded() {
    let mut server = TestServer::start().await;
    server.upload_guest("features/sleep_ms").await;
    server.execute("sleep_ms", json!({"args": ["1"]})).await;
    let mut idle = Raw::connect(&server).await;
    idle.send_head("GET /health HTTP/1.1").await;
    idle.read_answer().await;
    let running = spawn(&server, "sleep_ms", &["2000"]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let stopped = Instant::now();
    server.signal("TERM");
    let answer = running.await.expect("it was sent").ok(200);
    assert_eq!(answer["status"], "succeeded", "{answer}");
    assert_eq!(server.wait(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(8), "an idle connection does not hold it up");
    assert_eq!(idle.read_to_end().await, "");
    server.restart();
    let found = records(&server).await;
    assert_eq!((found.len(), &found[0]["id"]), (2, &answer["id"]));
}

#[tokio::test]
async fn a_guest_longer_than_the_grace_is_cancelled_and_answered() {
    // The last section so far is that of the tier `pro`.
    let config = "timeout_ms = 60000\n[server]\nshutdown_grace_ms = 1000";
    let mut server = TestServer::builder().with(config).start().await;
    server.upload_guest("hostile/busy_loop").await;
    server.execute("busy_loop", json!({"limits": {"timeout_ms": 10}})).await;
    let running = spawn(&server, "busy_loop", &[]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let stopped = Instant::now();
    server.signal("INT");
    let answer = running.await.expect("it was sent").ok(200);
    assert_eq!(answer["status"], "cancelled", "{answer}");
    assert_eq!(server.wait(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(6), "{:?}", stopped.elapsed());
    server.restart();
    let found = records(&server).await;
    assert_eq!((&found[0]["id"], &found[0]["status"]), (&answer["id"], &json!("cancelled")));
}

#[tokio::test]
async fn whoever_sends_and_reads_nothing_does_not_keep_a_server_from_ending() {
    let mut server = TestServer::builder().with("[server]\nshutdown_grace_ms = 1000").start().await;
    server.upload_guest("features/big_output").await;
    let mut silent = Vec::new();
    for head in [
        "POST /api/wasm/upload HTTP/1.1\nContent-Type: multipart/form-data; boundary=x\nContent-Length: 1000",
        "POST /api/wasm/modules/echo/run HTTP/1.1\nTransfer-Encoding: chunked",
        "POST /api/wasm/modules/big_output/run?arg=10000000 HTTP/1.1\nContent-Length: 0",
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(head).await;
        silent.push(raw);
    }
    silent.push(Raw::connect(&server).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stopped = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(8), "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    // The last section so far is that of the tier `pro`.
    let mut server =
        TestServer::builder().with("timeout_ms = 60000\n[server]\nshutdown_grace_ms = 60000").start().await;
    server.upload_guest("hostile/busy_loop").await;
    let running = spawn(&server, "busy_loop", &[]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stopped = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(), Some(143));
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    running.abort();
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let mut server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "pro").await;
    let module = ada.upload_guest("samples/textcase").await;
    let ran = ada.execute(module, json!({"input": "abc", "args": ["upper"]})).await;
    let key = ada.post("/api/auth/keys", &json!({"name": "revoked"})).await.ok(201);
    let path = format!("/api/auth/keys/{}", key["id"].as_str().expect("an id"));
    assert_eq!(ada.delete(&path).await.status, 204);
    // Restarting kills it (SIGKILL) first.
    server.restart();
    let ada = server.with_key(ada.key());
    assert_eq!(ada.get("/api/auth/me").await.ok(200)["user_name"], "ada");
    assert_eq!(ada.get("/api/wasm/modules/textcase").await.ok(200)["owner"], "you");
    ada.get(&format!("/api/executions/{}", ran["id"].as_str().expect("an id"))).await.ok(200);
    let again = ada.execute(module, json!({"input": "abc", "args": ["upper"]})).await;
    assert_eq!(again["stdout"], ran["stdout"]);
    server
        .with_key(key["secret"].as_str().expect("a secret"))
        .get("/api/auth/me")
        .await
        .problem(401, "unauthenticated");
    server.get("/api/auth/me").await.ok(200);
}

#[tokio::test]
async fn the_first_start_with_a_login_shows_the_administrators_key_once() {
    let terminal = Terminal::new();
    let folder = terminal.folder();
    let config = terminal.file("login.toml", "[auth]\nuse = [\"api_key\"]");
    let start = || {
        let mut child = terminal.start(&["serve", "--port", "0", "--data-dir", "data", "--config", &config]);
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
            lines.push(line);
            if lines.last().is_some_and(|line| line.starts_with("Docs: ")) {
                break;
            }
        }
        (child, lines)
    };
    let (mut child, lines) = start();
    let key =
        lines.iter().find_map(|line| line.trim().strip_prefix("export WASMWIZ_API_KEY=")).expect("the key").to_owned();
    let url = lines
        .iter()
        .flat_map(|line| line.split(' '))
        .find(|word| word.starts_with("http://"))
        .expect("the address")
        .to_owned();
    let me = Client::new(url, Some(key.clone()), folder.join("none")).get("/api/auth/me").await.ok(200);
    assert_eq!((&me["user_name"], &me["role"], &me["tier"]), (&json!("admin"), &json!("admin"), &json!("pro")));
    child.kill().expect("it runs");
    let log = String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stderr).into_owned();
    assert!(!log.contains(&key[11..]), "no secret in the log: {log}");
    let (mut child, lines) = start();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(!lines.join("\n").contains("WASMWIZ_API_KEY="), "{lines:?}");
}

#[tokio::test]
async fn the_line_to_try_works_when_it_is_pasted() {
    let server = TestServer::start().await;
    let answer = server.post_text("/api/wasm/modules/hello/run", "application/x-www-form-urlencoded", "WasmWiz").await;
    assert_eq!(answer.text(), "Hello, WasmWiz!\n");
}

#[test]
fn a_first_key_that_is_none_and_a_port_that_is_taken_are_told() {
    let terminal = Terminal::new().with("WASMWIZ_BOOTSTRAP_KEY", "hunter2");
    let config = terminal.file("login.toml", "[auth]\nuse = [\"api_key\"]\n[log]\nfilter = \"off\"");
    let ended = terminal.run(&["serve", "--port", "0", "--config", &config]);
    let said = ended.refused(1);
    assert!(said.starts_with("wasmwiz: WASMWIZ_BOOTSTRAP_KEY is no API key"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let terminal = Terminal::new();
    let config = terminal.file("quiet.toml", "[log]\nfilter = \"off\"");
    let ended = terminal.run(&["serve", "--port", &port, "--config", &config]);
    assert!(ended.refused(1).contains("another program listens there"), "{ended:?}");
    let ended = terminal.run(&["serve", "--port", "0", "--data-dir", "/proc/nowhere", "--config", &config]);
    assert!(ended.refused(1).contains("/proc/nowhere"), "{ended:?}");
}

#[tokio::test]
async fn everything_that_is_kept_is_its_owners_alone_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let server = TestServer::builder().with_login().start().await;
    server.execute("hello", json!({})).await;
    let data = server.folder().join("data");
    let mode = std::fs::metadata(&data).expect("the data folder").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "nobody else looks into {}", data.display());
}
