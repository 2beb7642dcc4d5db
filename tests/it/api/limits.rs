//! Bodies and connections: how large, how slow, how many.

use std::time::{Duration, Instant};

use futures::stream;
use reqwest::{Body, Method};
use serde_json::json;

use crate::support::{Raw, TestServer};

const SMALL: &str = "[server]\nmax_body_bytes = 100000\nmax_module_bytes = 100000";

#[tokio::test]
async fn a_body_whose_length_is_over_the_limit_is_refused_before_it_is_sent() {
    let server = TestServer::builder().with(SMALL).start().await;
    let cases = [
        ("/api/wasm/execute", "application/json", 100_001_u64),
        ("/api/wasm/execute", "multipart/form-data; boundary=x", 100_000 + 100_000 + 65_537),
        ("/api/wasm/upload", "multipart/form-data; boundary=x", 100_000 + 65_537),
        ("/api/wasm/modules/echo/run", "application/octet-stream", 100_001),
        ("/api/wasm/modules/echo/execute", "application/json", 1 << 60),
    ];
    for (path, content_type, length) in cases {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(&format!("POST {path} HTTP/1.1\nContent-Type: {content_type}\nContent-Length: {length}")).await;
        let (head, body) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 413 "), "{path}: {head}");
        assert!(body.contains("\"code\":\"too_large\""), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit_and_not_kept() {
    let server = TestServer::builder().with(SMALL).start().await;
    for (path, content_type) in [
        ("/api/wasm/execute", "application/json"),
        ("/api/wasm/upload", "multipart/form-data; boundary=x"),
        ("/api/wasm/modules/wordcount/run", "text/plain"),
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(&format!("POST {path} HTTP/1.1\nContent-Type: {content_type}\nTransfer-Encoding: chunked")).await;
        let start: &[u8] = if content_type.starts_with("multipart") {
            b"--x\r\nContent-Disposition: form-data; name=\"wasm\"; filename=\"a\"\r\n\r\n"
        } else {
            b"{\"module\": \"hello\", \"input\": \""
        };
        raw.send_chunk(start).await;
        let begun = Instant::now();
        let mut sent = 0_u64;
        while !raw.hears_within(Duration::from_millis(1)).await {
            assert!(begun.elapsed() < Duration::from_secs(30), "{path}: {sent} bytes taken without an answer");
            if !raw.send_chunk(&[b'x'; 16384]).await {
                break;
            }
            sent += 16384;
        }
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 413 "), "{path}: {head}");
    }
    assert!(server.peak_resident() < 512 << 20);
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_reads_the_answer_and_goes_on() {
    let server = TestServer::builder().with(SMALL).start().await;
    for _ in 0..5 {
        let body = json!({"module": "hello", "input": "x".repeat(2 << 20)});
        server.post("/api/wasm/execute", &body).await.problem(413, "too_large");
        server.upload("large", vec![0; 2 << 20]).await.problem(413, "too_large");
        server.get("/health").await.ok(200);
    }
}

#[tokio::test]
async fn whoever_asks_before_sending_is_told_at_once() {
    let server = TestServer::builder().with(SMALL).start().await;
    let mut raw = Raw::connect(&server).await;
    let ask =
        |length| format!("POST /api/wasm/modules/echo/run HTTP/1.1\nContent-Length: {length}\nExpect: 100-continue");
    raw.send_head(&ask(100_001)).await;
    let head = raw.read_head().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    let mut raw = Raw::connect(&server).await;
    raw.send_head(&ask(2)).await;
    let head = raw.read_head().await;
    assert!(head.starts_with("HTTP/1.1 100 "), "{head}");
    raw.send("hi").await;
    let (head, body) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "hi", "{head}{body}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_a_408_problem() {
    let server = TestServer::builder().with("[server]\nbody_timeout_ms = 500").start().await;
    for (path, content_type) in [
        ("/api/wasm/execute", "application/json"),
        ("/api/wasm/upload", "multipart/form-data; boundary=x"),
        ("/api/wasm/modules/echo/run", "text/plain"),
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(&format!("POST {path} HTTP/1.1\nContent-Type: {content_type}\nContent-Length: 1000")).await;
        raw.send("{\"module\"").await;
        let (head, body) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 408 "), "{path}: {head}");
        assert!(body.contains("\"code\":\"body_too_slow\""), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_costs_nothing() {
    let server = TestServer::start().await;
    for _ in 0..50 {
        let mut raw = Raw::connect(&server).await;
        raw.send_head("POST /api/wasm/execute HTTP/1.1\nContent-Type: application/json\nContent-Length: 16000000")
            .await;
        raw.send("{").await;
    }
    // 50 times 16 MB are more than the server keeps of bodies at a time: they were given back.
    let begun = Instant::now();
    loop {
        let answer = server.post("/api/wasm/execute", &json!({"module": "hello", "input": "x".repeat(15 << 20)})).await;
        if answer.status == 200 {
            break;
        }
        answer.problem(503, "overloaded");
        assert!(begun.elapsed() < Duration::from_secs(20), "memory set aside for bodies was not given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn bodies_share_a_bounded_memory_and_further_ones_are_told_to_come_back() {
    let config = "[server]\nmax_body_bytes = 1000000\nmax_module_bytes = 1000000\nmax_buffered_bytes = 2000000";
    let server = TestServer::builder().with(config).start().await;
    let head = "POST /api/wasm/execute HTTP/1.1\nContent-Type: application/json\nContent-Length: 990000";
    let (mut one, mut two) = (Raw::connect(&server).await, Raw::connect(&server).await);
    for raw in [&mut one, &mut two] {
        raw.send_head(head).await;
        raw.send("x".repeat(900_000)).await;
        assert!(!raw.hears_within(Duration::from_millis(300)).await, "it waits for the rest");
    }
    let big = json!({"module": "hello", "input": "x".repeat(900_000)});
    let refused = server.post("/api/wasm/execute", &big).await;
    refused.problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    drop((one, two));
    let begun = Instant::now();
    while server.post("/api/wasm/execute", &big).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the memory is not given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn bodies_that_are_announced_and_not_sent_keep_nobody_out() {
    let config = "[server]\nmax_body_bytes = 1000000\nmax_module_bytes = 1000000\nmax_buffered_bytes = 2000000";
    let server = TestServer::builder().with(config).start().await;
    let mut slow = Vec::new();
    for count in 0..20 {
        let mut raw = Raw::connect(&server).await;
        let (path, content_type) = match count % 2 {
            0 => ("execute", "application/json"),
            _ => ("upload", "multipart/form-data; boundary=x"),
        };
        let head = format!("POST /api/wasm/{path} HTTP/1.1\nContent-Type: {content_type}\nContent-Length: 990000\n");
        raw.send_head(&head).await;
        raw.send("{--x\r").await;
        slow.push(raw);
    }
    assert!(!slow[0].hears_within(Duration::from_millis(300)).await, "it waits for the rest");
    let big = json!({"module": "hello", "input": "x".repeat(900_000)});
    assert_eq!(server.post("/api/wasm/execute", &big).await.status, 200);
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let answer = raw.read_to_end().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.get("/health").await.ok(200);
}

#[tokio::test]
async fn whatever_is_streamed_in_is_counted_though_nobody_declared_it() {
    let server = TestServer::builder().with(SMALL).start().await;
    let chunks =
        |count: usize| Body::wrap_stream(stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1000]))));
    let send = async |path: &str, body| server.send(server.request(Method::POST, path).body(body)).await;
    let fits = send("/api/wasm/modules/wordcount/run", chunks(100)).await;
    assert_eq!(fits.status, 200, "{}", fits.text());
    send("/api/wasm/modules/wordcount/run", chunks(101)).await.problem(413, "too_large");
}

#[tokio::test]
async fn slow_and_idle_connections_keep_nobody_out() {
    let server = TestServer::start().await;
    let mut slow = Vec::new();
    for count in 0..300 {
        let mut raw = Raw::connect(&server).await;
        match count % 3 {
            0 => {}
            1 => raw.send("GET /health HTTP/1.1\r\nHost:").await,
            _ => raw.send_head("POST /api/wasm/modules/echo/run HTTP/1.1\nTransfer-Encoding: chunked").await,
        }
        slow.push(raw);
    }
    let answers = futures::future::join_all((0..100).map(|_| server.get("/health"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(server.execute("hello", json!({"args": ["you"]})).await["stdout"], "Hello, you!\n");
}

#[tokio::test]
async fn requests_in_a_row_on_one_connection_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {}\r\n\r\n", path.replace('/', "_").trim_matches('_'))
    };
    let post = "POST /api/wasm/modules/echo/run HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    raw.send(format!("{}{}{}{}", get("/health"), post, get("/nope"), get("/health/live"))).await;
    let (head, body) = raw.read_answer().await;
    assert!(head.contains("x-request-id: health\r\n") && body.contains("\"ok\""), "{head}{body}");
    let (head, body) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "hello", "{head}{body}");
    let (head, _) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("x-request-id: nope\r\n"), "{head}");
    let (head, _) = raw.read_answer().await;
    assert!(head.contains("x-request-id: health_live\r\n"), "{head}");
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let server = TestServer::start().await;
    for path in
        ["/health", "/openapi.json", "/docs", "/metrics", "/api/wasm/modules", "/api/wasm/modules/hello/content"]
    {
        let mut raw = Raw::connect(&server).await;
        raw.send_head(&format!("HEAD {path} HTTP/1.1\nConnection: close")).await;
        let answer = raw.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn answers_are_not_to_be_taken_for_something_else() {
    let server = TestServer::start().await;
    for path in ["/health", "/docs", "/nope", "/api/wasm/modules/hello/content"] {
        assert_eq!(server.get(path).await.header("x-content-type-options"), "nosniff", "{path}");
    }
}
