//! `/health`, `/metrics` and `/`: for load balancers, orchestrators and monitoring.

use serde_json::json;

use crate::support::{TestServer, assert_fields};

#[tokio::test]
async fn a_server_that_runs_says_so_to_everybody() {
    let server = TestServer::builder().with_login().start().await;
    for path in ["/health", "/health/live"] {
        let health = server.anonymous().get(path).await.ok(200);
        assert_fields(&health, &["status", "version"]);
        assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!(env!("CARGO_PKG_VERSION"))));
    }
    let ready = server.anonymous().get("/health/ready").await.ok(200);
    assert_eq!(ready, json!({"status": "ready", "checks": ["storage", "schema", "blobs", "rate_limit", "executor"]}));
}

#[tokio::test]
async fn a_server_whose_store_is_gone_is_alive_and_not_ready() {
    let server = TestServer::start().await;
    server.get("/health/ready").await.ok(200);
    let blobs = server.folder().join("data/blobs");
    let away = server.folder().join("away");
    std::fs::rename(&blobs, &away).expect("the folder can be moved");
    std::fs::write(&blobs, "no folder").expect("a file in its place");
    // An answer holds for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let answer = server.get("/health/ready").await;
    answer.blames(503, "not_ready", "blobs", "not ready");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert!(!answer.text().contains("data"), "no path of the server: {}", answer.text());
    server.get("/health/live").await.ok(200);
    std::fs::remove_file(&blobs).expect("it can be removed");
    std::fs::rename(&away, &blobs).expect("the folder can be moved back");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    server.get("/health/ready").await.ok(200);
}

#[tokio::test]
async fn a_database_that_is_damaged_is_a_503_and_its_details_stay_in_the_log() {
    let server = TestServer::start().await;
    server.get("/api/wasm/modules").await.ok(200);
    for entry in std::fs::read_dir(server.folder().join("data")).expect("the data folder").flatten() {
        // Not the index of the log (`-shm`): to cut short what is mapped into memory is to kill the program.
        if ["wasmwiz.db", "wasmwiz.db-wal"].iter().any(|name| entry.file_name() == *name) {
            let file = std::fs::File::options().write(true).open(entry.path()).expect("the database");
            file.set_len(0).expect("it can be cut");
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let answer = server.get("/health/ready").await;
    let problem = answer.problem(503, "not_ready");
    assert!(problem.to_string().contains("storage") || problem.to_string().contains("schema"), "{problem}");
    let answer = server.get("/api/wasm/modules").await;
    // What it remembers of the database it may still answer.
    assert!([200, 500, 503].contains(&answer.status.as_u16()), "{}", answer.text());
    assert!(!answer.text().to_lowercase().contains("sql"), "{}", answer.text());
    server.get("/health/live").await.ok(200);
}

#[tokio::test]
async fn figures_are_in_prometheus_format_and_have_no_secrets_in_them() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "pro").await;
    ada.execute("hello", json!({"args": ["secret-argument"]})).await;
    ada.get("/api/wasm/modules/secret-name").await.problem(404, "not_found");
    ada.get("/secret-path").await.problem(404, "path_not_found");
    let answer = server.anonymous().get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        assert!(name.starts_with("wasmwiz_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for line in [
        "wasmwiz_executions_total{status=\"succeeded\"} 1",
        "wasmwiz_http_requests_total{method=\"POST\",route=\"/api/wasm/execute\",status=\"200\"} 1",
        "wasmwiz_http_requests_total{method=\"GET\",route=\"/api/wasm/modules/{module}\",status=\"404\"} 1",
        "wasmwiz_http_requests_total{method=\"other\",route=\"unmatched\",status=\"404\"} 1",
        "# TYPE wasmwiz_execution_duration_seconds histogram",
        "wasmwiz_executor_workers ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    for secret in ["secret", "ww_", "ada"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn the_first_page_leads_to_the_documentation() {
    let server = TestServer::start().await;
    let answer = server.get("/").await;
    assert!(answer.status.is_redirection() || answer.status == 200, "{answer:?}");
    if answer.status.is_redirection() {
        assert_eq!(answer.header("location"), "/docs");
    }
}
