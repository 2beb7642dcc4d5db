//! `POST /api/wasm/modules/{module}/run`: bytes in, bytes out

use reqwest::Method;
use serde_json::json;

use crate::support::TestServer;

const ECHO: &str = "/api/wasm/modules/echo/run";

#[tokio::test]
async fn bytes_go_in_and_come_out_unharmed_with_the_verdict_in_headers() {
    let server = TestServer::start().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let answer = server.post_bytes(ECHO, bytes.clone()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == bytes);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("content-length"), "10000");
    assert_eq!((answer.header("x-execution-status"), answer.header("x-exit-code")), ("succeeded", "0"));
    let record = server.get(&format!("/api/executions/{}", answer.header("x-execution-id"))).await.ok(200);
    assert_eq!((&record["status"], &record["usage"]["stdout_bytes"]), (&json!("succeeded"), &json!(10_000)));
    let empty = server.send(server.request(Method::POST, ECHO)).await;
    assert_eq!((empty.status.as_u16(), empty.body.len()), (200, 0));
    // As curl --data sends it.
    let form = server.post_text("/api/wasm/modules/hello/run", "application/x-www-form-urlencoded", "WasmWiz").await;
    assert_eq!(form.text(), "Hello, WasmWiz!\n");
}

#[tokio::test]
async fn arguments_variables_and_limits_come_with_the_address() {
    let server = TestServer::start().await;
    server.upload_guest("features/args_env").await;
    let run = async |query: &str| server.post_bytes(&format!("/api/wasm/modules/args_env/run?{query}"), "").await;
    let text = run("arg=one&arg=two%20three&arg=&arg=%C3%BC%26&env=A=b%3Dc&timeout_ms=2000").await.text();
    assert!(text.contains("arg one\narg two three\narg \narg ü&\n"), "{text}");
    assert!(text.contains("env A=b=c\n"), "{text}");
    run("env=novalue").await.blames(422, "invalid_input", "env", "KEY=VALUE");
    run("timeout_ms=99999").await.blames(422, "invalid_input", "limits.timeout_ms", "5000");
    run("timeout_ms=soon").await.problem(422, "invalid_input");
    run("strict=perhaps").await.problem(422, "invalid_input");
    run("arg=%00").await.blames(422, "invalid_input", "args[0]", "NUL");
}

#[tokio::test]
async fn a_guest_that_failed_is_an_answer_unless_success_was_asked_for() {
    let server = TestServer::start().await;
    for guest in ["hostile/exit_code", "hostile/partial_output", "hostile/partial_then_loop"] {
        server.upload_guest(guest).await;
    }
    let run = async |module: &str, query: &str| {
        server.send(server.request(Method::POST, &format!("/api/wasm/modules/{module}/run?{query}"))).await
    };
    let failed = run("exit_code", "arg=7").await;
    assert_eq!(
        (failed.status.as_u16(), failed.header("x-execution-status"), failed.header("x-exit-code")),
        (200, "failed", "7")
    );
    let strict = run("exit_code", "arg=7&strict=true").await;
    let problem = strict.problem(502, "guest_failed");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("exit code 7")), "{problem}");
    assert_eq!((strict.header("x-execution-status"), strict.header("x-exit-code")), ("failed", "7"));
    assert!(!strict.header("x-execution-id").is_empty(), "{strict:?}");
    let trapped = run("partial_output", "").await;
    assert_eq!((trapped.text().as_str(), trapped.header("x-execution-status")), ("before\n", "trapped"));
    assert!(trapped.headers.get("x-exit-code").is_none());
    let stopped = run("partial_then_loop", "timeout_ms=300").await;
    assert_eq!((stopped.text().as_str(), stopped.header("x-execution-status")), ("before\n", "timed_out"));
    let strict = run("partial_then_loop", "timeout_ms=300&strict=true").await;
    assert!(strict.problem(502, "guest_failed")["detail"].as_str().is_some_and(|detail| detail.contains("timeout_ms")));
    let good = run("exit_code", "arg=0&strict=true").await;
    assert_eq!(good.status, 200);
    run("nothing", "strict=true").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_strict_answer_is_whole_however_long() {
    let server = TestServer::start().await;
    server.upload_guest("features/big_output").await;
    let answer =
        server.send(server.request(Method::POST, "/api/wasm/modules/big_output/run?arg=3000000&strict=true")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 3_000_000));
    assert_eq!((answer.header("x-execution-status"), answer.header("x-exit-code")), ("succeeded", "0"));
}

#[tokio::test]
async fn concurrent_streams_do_not_mix() {
    let server = TestServer::start().await;
    let runs = (0..40_u32).map(async |number| {
        let bytes: Vec<u8> = number.to_le_bytes().iter().copied().cycle().take(200_000 + number as usize).collect();
        let answer = server.post_bytes(ECHO, bytes.clone()).await;
        assert!(answer.body == bytes, "{number}");
    });
    futures::future::join_all(runs).await;
}
