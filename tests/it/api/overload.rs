//! More callers than the server, or one of them, may have at a time.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::support::{Raw, TestServer};

#[tokio::test]
async fn connections_over_the_limit_wait_until_one_is_closed() {
    let server = TestServer::builder().with("[server]\nmax_connections = 4").start().await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::connect(&server).await;
        raw.send_head("GET /health HTTP/1.1").await;
        assert!(raw.read_answer().await.0.starts_with("HTTP/1.1 200 "));
        open.push(raw);
    }
    let mut waiting = Raw::connect(&server).await;
    waiting.send_head("GET /health HTTP/1.1").await;
    assert!(!waiting.hears_within(Duration::from_millis(500)).await, "it is not accepted yet");
    open.pop();
    assert!(waiting.read_answer().await.0.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.read_to_end().await, "");
}

#[tokio::test]
async fn a_caller_who_runs_as_many_as_their_tier_allows_is_told_to_come_back() {
    let server =
        TestServer::builder().with_login().with("[policy.tiered.tiers.free]\nrequests_per_minute = 0").start().await;
    let (ada, bob) = (server.new_user("ada", "free").await, server.new_user("bob", "free").await);
    for user in [&ada, &bob] {
        user.upload_guest("features/sleep_ms").await;
        user.execute("sleep_ms", json!({"args": ["1"]})).await;
    }
    let body = json!({"module": "sleep_ms", "args": ["2000"]});
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let refused = ada.post("/api/wasm/execute", &body).await;
        let problem = refused.problem(429, "too_many_executions");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("free")), "{problem}");
        assert_eq!(refused.header("retry-after"), "1");
        ada.post("/api/wasm/modules/sleep_ms/run", &json!({})).await.problem(429, "too_many_executions");
        assert_eq!(bob.execute("sleep_ms", json!({"args": ["1"]})).await["status"], "succeeded");
    };
    let (answers, ()) = tokio::join!(join_all((0..2).map(|_| ada.post("/api/wasm/execute", &body))), others);
    for answer in answers {
        assert_eq!(answer.ok(200)["status"], "succeeded");
    }
    assert_eq!(ada.execute("sleep_ms", json!({"args": ["1"]})).await["status"], "succeeded");
}
