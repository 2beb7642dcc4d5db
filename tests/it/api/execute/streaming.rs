//! `POST /api/wasm/modules/{module}/run` while the body is still on its way, or its reader is gone

use std::time::{Duration, Instant};

use futures::StreamExt;
use reqwest::{Body, Method};
use serde_json::{Value, json};

use crate::support::{Raw, TestServer};

/// The newest execution's record, once it has this status.
async fn newest(server: &TestServer, status: &str) -> Value {
    let begun = Instant::now();
    loop {
        let page = server.get("/api/executions?limit=1").await.ok(200);
        if page["items"][0]["status"] == status {
            return page["items"][0].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no execution is {status}: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_guest_answers_while_the_body_is_still_open() {
    let server = TestServer::start().await;
    server.execute("echo", json!({})).await;
    let mut raw = Raw::connect(&server).await;
    raw.send_head("POST /api/wasm/modules/echo/run HTTP/1.1\nTransfer-Encoding: chunked\nTE: trailers").await;
    // What is short is kept until the guest has ended, so that it comes with its verdict; more is passed on.
    assert!(raw.send_chunk(&[b'a'; 100_000]).await);
    let head = raw.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-execution-status: running\r\n"), "{head}");
    assert!(head.to_lowercase().contains("transfer-encoding: chunked"), "{head}");
    raw.read_until("aaaa").await;
    assert!(raw.send_chunk(b"the last of it").await);
    raw.read_until("the last of it").await;
    raw.send("0\r\n\r\n").await;
    let end = raw.read_until("\r\n\r\n").await;
    assert!(end.contains("x-execution-status: succeeded\r\n") && end.contains("x-exit-code: 0\r\n"), "{end}");
}

#[tokio::test]
async fn more_than_fits_into_memory_at_once_streams_through() {
    let server = TestServer::start().await;
    let chunk = vec![b'x'; 64 << 10];
    let chunks = futures::stream::iter((0..128).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let request = server.request(Method::POST, "/api/wasm/modules/echo/run").body(Body::wrap_stream(chunks));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-execution-status"], "running");
    let mut length = 0;
    let mut body = answer.bytes_stream();
    while let Some(chunk) = body.next().await {
        length += chunk.expect("the body arrives whole").len();
    }
    assert_eq!(length, 128 * (64 << 10));
}

#[tokio::test]
async fn a_long_output_says_at_its_end_how_the_guest_ended() {
    let server = TestServer::start().await;
    server.upload_guest("features/big_output").await;
    server.upload_guest("hostile/output_flood").await;
    let end = async |path: &str, te: &str| {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(&format!("POST /api/wasm/modules/{path} HTTP/1.1\nContent-Length: 0\nConnection: close\n{te}"))
            .await;
        let answer = raw.read_to_end().await;
        answer[answer.len().saturating_sub(200)..].to_owned()
    };
    let good = end("big_output/run?arg=1000000", "TE: trailers").await;
    assert!(good.contains("\r\n0\r\nx-execution-status: succeeded\r\nx-exit-code: 0\r\n\r\n"), "{good:?}");
    let cut = end("output_flood/run", "TE: trailers").await;
    assert!(cut.contains("\r\n0\r\nx-execution-status: output_exceeded\r\n\r\n"), "{cut:?}");
    let unaware = end("big_output/run?arg=1000000", "X-None: 1").await;
    assert!(unaware.ends_with("\r\n0\r\n\r\n"), "{unaware:?}");
    let cut = end("output_flood/run", "X-None: 1").await;
    assert!(!cut.ends_with("0\r\n\r\n"), "a cut output never looks whole: {cut:?}");
}

#[tokio::test]
async fn a_guest_that_reads_no_more_does_not_hold_up_its_caller() {
    let server = TestServer::start().await;
    let chunk = vec![b'x'; 64 << 10];
    let chunks = futures::stream::iter((0..200).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let request = server.request(Method::POST, "/api/wasm/modules/hello/run?arg=you").body(Body::wrap_stream(chunks));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("text"), "Hello, you!\n");
    server.get("/health").await.ok(200);
}

#[tokio::test]
async fn when_the_client_goes_away_the_execution_is_cancelled_and_recorded() {
    // The last section so far is that of the tier `pro`.
    let server = TestServer::builder().with("timeout_ms = 60000").start().await;
    server.upload_guest("hostile/busy_loop").await;
    server.execute("busy_loop", json!({"limits": {"timeout_ms": 10}})).await;
    for path in ["/api/wasm/modules/busy_loop/run", "/api/wasm/modules/busy_loop/execute", "/api/wasm/modules/echo/run"]
    {
        let mut raw = Raw::connect(&server).await;
        match path {
            "/api/wasm/modules/echo/run" => {
                raw.send_head(&format!("POST {path} HTTP/1.1\nTransfer-Encoding: chunked")).await;
                raw.send_chunk(b"some, and then no more").await;
            }
            _ => raw.send_head(&format!("POST {path} HTTP/1.1\nContent-Length: 0")).await,
        }
        assert!(!raw.hears_within(Duration::from_millis(500)).await, "it runs");
        drop(raw);
        let record = newest(&server, "cancelled").await;
        let wall = record["usage"]["wall_ms"].as_f64().expect("a number");
        assert!(wall < 10_000.0, "{path}: {record}");
        server.execute("hello", json!({})).await;
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("wasmwiz_executions_total{status=\"cancelled\"} 3"), "{metrics}");
}

#[tokio::test]
async fn a_reader_who_stops_reading_is_given_up_and_does_not_fill_the_memory() {
    let server = TestServer::builder().with("[server]\nbody_timeout_ms = 1000").start().await;
    server.upload_guest("features/big_output").await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(&server).await;
        raw.send_head("POST /api/wasm/modules/big_output/run?arg=10000000 HTTP/1.1\nContent-Length: 0").await;
        stalled.push(raw);
    }
    tokio::time::sleep(Duration::from_secs(7)).await;
    let page = server.get("/api/executions?limit=100").await.ok(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(20), "all of them have ended: {page}");
    assert!(server.peak_resident() < 512 << 20, "{} MiB", server.peak_resident() >> 20);
    drop(stalled);
}
