//! Whatever goes wrong is a problem (RFC 9457) with its status and code, also where the framework refuses.

use reqwest::Method;
use serde_json::json;

use crate::support::{Raw, TestServer, assert_fields};

#[tokio::test]
async fn an_unknown_path_is_a_404_problem_whatever_the_method() {
    let server = TestServer::start().await;
    let paths = [
        "/nope",
        "/api",
        "/api/",
        "/api/wasm",
        "/api/wasm/modules/a/b",
        "/api//wasm/upload",
        "/docs/x",
        "/..%2f..%2fetc/passwd",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let problem = server.send(server.request(method, path)).await.problem(404, "path_not_found");
            assert_fields(&problem, &["type", "title", "status", "detail", "code", "request_id"]);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_problem_that_lists_the_right_ones() {
    let server = TestServer::start().await;
    let cases = [
        (Method::DELETE, "/health", "GET"),
        (Method::POST, "/metrics", "GET"),
        (Method::POST, "/docs", "GET"),
        (Method::PUT, "/openapi.json", "GET"),
        (Method::GET, "/api/wasm/upload", "POST"),
        (Method::PATCH, "/api/wasm/execute", "POST"),
        (Method::PUT, "/api/wasm/modules/hello", "DELETE, GET"),
        (Method::GET, "/api/wasm/modules/hello/run", "POST"),
        (Method::DELETE, "/api/auth/keys", "GET, POST"),
        (Method::from_bytes(b"BREW").expect("a method"), "/health", "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = server.send(server.request(method.clone(), path)).await;
        answer.problem(405, "method_not_allowed");
        let mut found: Vec<_> = answer.header("allow").split(", ").filter(|method| *method != "HEAD").collect();
        found.sort_unstable();
        assert_eq!(found.join(", "), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_of_another_content_type_is_a_415_problem() {
    let server = TestServer::start().await;
    let cases = [
        ("/api/wasm/execute", "text/plain"),
        ("/api/wasm/execute", "application/x-www-form-urlencoded"),
        ("/api/wasm/modules/hello/execute", "text/json"),
        ("/api/wasm/upload", "application/json"),
        ("/api/wasm/upload", "application/wasm"),
        ("/api/auth/keys", "multipart/form-data; boundary=x"),
        ("/api/admin/users", "text/plain"),
    ];
    for (path, content_type) in cases {
        let problem = server
            .post_text(path, content_type, "{\"module\": \"hello\"}")
            .await
            .problem(415, "unsupported_media_type");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(content_type)), "{problem}");
    }
    for path in ["/api/wasm/execute", "/api/wasm/upload", "/api/auth/keys"] {
        server.post_bytes(path, "{}").await.problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn malformed_json_is_a_400_problem_that_says_where() {
    let server = TestServer::start().await;
    let nested = "[".repeat(1 << 20);
    let objects = "{\"a\":".repeat(1 << 18);
    let cases = ["{", "{'args': []}", "\u{1}", "\u{feff}{}", "nul", ""];
    for path in ["/api/wasm/execute", "/api/wasm/modules/hello/execute", "/api/auth/keys", "/api/admin/users"] {
        for text in cases {
            let answer = server.post_text(path, "application/json", text).await;
            let problem = answer.problem(400, "malformed_json");
            let location = problem["errors"][0]["location"].as_str().unwrap_or_default();
            assert!(location.starts_with("body, line "), "{path} {text}: {problem}");
        }
        for bomb in [&nested, &objects] {
            let answer = server.post_text(path, "application/json", bomb.as_str()).await;
            assert!([400, 422].contains(&answer.status.as_u16()), "{path}: {}", answer.text());
            answer.problem(answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default());
        }
    }
    let more = server.post_text("/api/wasm/modules/hello/execute", "application/json", "{} x").await;
    more.problem(400, "malformed_json");
    let bytes = server.request(Method::POST, "/api/auth/keys").header("content-type", "application/json");
    server.send(bytes.body(&b"{\"name\": \"\xff\"}"[..])).await.problem(400, "malformed_json");
}

#[tokio::test]
async fn json_of_a_wrong_shape_is_a_422_problem_that_names_what_is_wrong() {
    let server = TestServer::start().await;
    let execute = "/api/wasm/execute";
    let cases = [
        (execute, json!({"module": "hello", "inptu": "x"}), "unknown field `inptu`"),
        (execute, json!({"module": "hello", "limits": {"timeout": 5}}), "unknown field `timeout`"),
        (execute, json!({"module": "hello", "files": [{"name": "x"}]}), "unknown field `name`"),
        (execute, json!({"module": "hello", "entrypoint": {"func": "x"}}), "unknown field `func`"),
        (execute, json!({}), "missing field `module`"),
        (execute, json!({"module": null}), "expected a string"),
        (execute, json!({"module": "hello", "args": "a b"}), "expected a list"),
        (execute, json!({"module": "hello", "args": [1]}), "expected a string"),
        (execute, json!({"module": "hello", "env": ["A=b"]}), "sequence"),
        (execute, json!({"module": "hello", "limits": {"timeout_ms": "5"}}), "expected u64"),
        (execute, json!({"module": "hello", "limits": {"timeout_ms": -1}}), "expected u64"),
        (execute, json!({"module": "hello", "limits": {"timeout_ms": 1.5}}), "expected u64"),
        ("/api/wasm/modules/hello/execute", json!({"module": "hello"}), "unknown field `module`"),
        ("/api/auth/keys", json!({"name": "x", "secret": "mine"}), "unknown field `secret`"),
        ("/api/auth/keys", json!({"name": "x", "scopes": ["everything"]}), "unknown variant `everything`"),
        ("/api/auth/keys", json!({"name": "x", "role": "root"}), "unknown variant `root`"),
        ("/api/auth/keys", json!({"name": "x", "expires_at": "tomorrow"}), ""),
        ("/api/admin/users", json!({"tier": "free"}), "missing field `name`"),
        (execute, json!([]), ""),
        (execute, json!("hello"), ""),
    ];
    for (path, body, words) in cases {
        let problem = server.post(path, &body).await.problem(422, "invalid_input");
        let error = &problem["errors"][0];
        assert!(
            error["location"]
                .as_str()
                .is_some_and(|location| location.starts_with("body, line 1 column ") || body.is_array()),
            "{problem}"
        );
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "`{words}` in {problem}");
        assert!(!problem.to_string().contains("wasmwiz::"), "no names of Rust's types: {problem}");
    }
    let twice = server.post_text(execute, "application/json", r#"{"module": "hello", "module": "echo"}"#).await;
    twice.problem(422, "invalid_input");
}

#[tokio::test]
async fn an_object_cannot_be_written_as_a_list() {
    let server = TestServer::start().await;
    let list = json!(["hello", null, null, null, null, null, null, null, null]);
    server.post("/api/wasm/execute", &list).await.problem(422, "invalid_input");
    server.post("/api/admin/users", &json!(["mallory", null, null])).await.problem(422, "invalid_input");
}

#[tokio::test]
async fn a_request_id_is_kept_when_it_is_well_formed_and_replaced_when_not() {
    let server = TestServer::start().await;
    let with = async |id: &str| server.send(server.request(Method::GET, "/nope").header("x-request-id", id)).await;
    let long = "x".repeat(64);
    for good in ["job-7_a.b", "A", long.as_str()] {
        let answer = with(good).await;
        assert_eq!(answer.header("x-request-id"), good);
        assert_eq!(answer.problem(404, "path_not_found")["request_id"], good);
    }
    let too_long = "x".repeat(65);
    for bad in ["", "a b", "a\"b", "<script>", "a;b", too_long.as_str()] {
        let answer = with(bad).await;
        let id = answer.header("x-request-id").to_owned();
        assert!(uuid::Uuid::try_parse(&id).is_ok(), "{bad}: {id}");
        assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
    }
    let first = server.get("/health").await;
    assert_ne!(first.header("x-request-id"), server.get("/health").await.header("x-request-id"));
}

#[tokio::test]
async fn nothing_can_be_smuggled_into_headers_or_the_log() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send_head("GET /nope HTTP/1.1\nX-Request-Id: good\n Evil: 1\nConnection: close").await;
    let answer = raw.read_to_end().await;
    assert!(!answer.to_lowercase().contains("evil:"), "{answer}");
    let name = "a%0d%0aEvil:%201%1b[2J";
    let answer = server.get(&format!("/api/wasm/modules/{name}")).await;
    answer.blames(422, "invalid_input", "module", "no module reference");
    assert!(!server.log().contains("\u{1b}[2J"), "{}", server.log());
    server.get(&format!("/api/wasm/modules?name={name}")).await.ok(200);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_hurts_nobody() {
    let server = TestServer::start().await;
    let cases = [
        "GARBAGE\r\n\r\n".to_owned(),
        "GET /health HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "POST /api/wasm/execute HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345".to_owned(),
        "POST /api/wasm/execute HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /api/wasm/execute HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_owned(),
        "POST /api/wasm/execute HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n".to_owned(),
        format!("GET /health HTTP/1.1\r\nHost: x\r\nLong: {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(10_000)),
    ];
    for case in cases {
        let mut raw = Raw::connect(&server).await;
        // The server may have seen enough before it has all.
        raw.try_send(&case).await;
        let answer = raw.read_to_end().await;
        let start: String = case.chars().take(80).collect();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start}: {answer}");
    }
    let mut raw = Raw::connect(&server).await;
    raw.send_head("POST /api/wasm/modules/echo/run HTTP/1.1\nTransfer-Encoding: chunked\nConnection: close").await;
    raw.send("zz\r\nnot a chunk\r\n").await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("body_broken"), "{answer}");
    server.get("/health/ready").await.ok(200);
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_hide_a_second_request() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send_head("POST /api/wasm/modules/echo/run HTTP/1.1\nContent-Length: 6\nTransfer-Encoding: chunked").await;
    raw.try_send("0\r\n\r\nGET /api/auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let answer = raw.read_to_end().await;
    // RFC 9112 section 6.1: answered with an error, or the connection is closed after the answer to the first.
    assert!(!answer.contains("user_name"), "{answer}");
}
