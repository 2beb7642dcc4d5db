//! What the server itself keeps while guests do their worst.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn memory_stays_bounded_with_32_memory_hogs_at_once_and_a_neighbour_is_answered() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/memory_hog").await;
    server.upload_guest("samples/echo").await;
    server.execute("echo", json!({"input": "compiled"})).await;
    let hogs = async {
        let body = json!({"module": "memory_hog", "limits": {"timeout_ms": 5000}});
        let runs = (0..32).map(|_| server.post("/api/wasm/execute", &body));
        for answer in join_all(runs).await {
            // The pool serves them one after the other; one that would wait too long is told to come back.
            match answer.status.as_u16() {
                200 => assert_eq!(answer.json()["status"], "memory_exceeded", "{}", answer.text()),
                _ => drop(answer.problem(503, "overloaded")),
            }
        }
    };
    let neighbour = async {
        for _ in 0..50 {
            assert_eq!(server.execute("echo", json!({"input": "hi"})).await["stdout"], "hi");
        }
    };
    tokio::join!(hogs, neighbour);
    let peak = server.peak_resident();
    assert!(peak < 1 << 30, "the server had {} MiB", peak >> 20);
}

#[tokio::test]
async fn neighbours_are_answered_while_guests_loop_sleep_and_wait() {
    let server = TestServer::start().await;
    for guest in ["busy_loop", "sleep_forever", "hostcall_loop"] {
        server.upload_guest(&format!("hostile/{guest}")).await;
    }
    server.upload_guest("samples/echo").await;
    server.execute("echo", json!({"input": "compiled"})).await;
    let hostile = ["busy_loop", "sleep_forever", "hostcall_loop"].into_iter().cycle().take(24);
    let hostile = join_all(hostile.map(|guest| server.execute(guest, json!({"limits": {"timeout_ms": 3000}}))));
    let neighbour = async {
        // Once the guests run.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let asked = Instant::now();
        let answers = join_all((0..8).map(|_| server.execute("echo", json!({"input": "hi"})))).await;
        assert!(answers.iter().all(|execution| execution["status"] == "succeeded"));
        asked.elapsed()
    };
    let (hostile, waited) = tokio::join!(hostile, neighbour);
    assert!(hostile.iter().all(|execution| execution["status"] == "timed_out"));
    // Far less than the guests' own time: the neighbour did not wait for their threads.
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn a_full_queue_answers_503_at_once_and_says_when_to_come_back() {
    let config = "[executor.wasmer]\nworkers = 1\nqueue = 2";
    let server = TestServer::builder().with(config).start().await;
    server.upload_guest("hostile/sleep_forever").await;
    server.execute("sleep_forever", json!({"limits": {"timeout_ms": 10}})).await;
    let body = json!({"module": "sleep_forever", "limits": {"timeout_ms": 3000}});
    let answers = join_all((0..16).map(|_| server.post("/api/wasm/execute", &body))).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    // Two wait, and one runs unless it was still being fetched; on a slow day some came only after those.
    assert!(served.len() >= 2 && !refused.is_empty(), "{} served, {} refused", served.len(), refused.len());
    for answer in refused {
        answer.problem(503, "overloaded");
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
    }
}

#[tokio::test]
async fn a_signal_meant_for_nobody_hurts_nobody() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/busy_loop").await;
    let busy = server.execute("busy_loop", json!({"limits": {"timeout_ms": 1000}}));
    let signals = async {
        for _ in 0..50 {
            server.signal("USR1");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (execution, ()) = tokio::join!(busy, signals);
    assert_eq!(execution["status"], "timed_out");
    assert_eq!(server.get("/health/live").await.status, 200);
}
