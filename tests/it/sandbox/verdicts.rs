//! Every hostile guest gets the verdict that its source promises, and costs its neighbours nothing.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::TestServer;

const TIMEOUT_MS: u64 = 1000;
/// How late a guest may be told to stop on a busy machine. The executor's own suite holds it to 100 ms.
const LATE_MS: f64 = 1500.0;

/// A guest, its status, and the exit code or the word of its error or limit.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("atomic_wait", "timed_out", "timeout_ms"),
    ("blocking_read", "timed_out", "timeout_ms"),
    ("busy_loop", "timed_out", "timeout_ms"),
    ("busy_loop_start", "timed_out", "timeout_ms"),
    ("call_indirect_null", "trapped", "null_function"),
    ("deep_recursion", "trapped", "stack_overflow"),
    ("dir_deep", "succeeded", "0"),
    ("dir_hog", "succeeded", "0"),
    ("env_peek", "succeeded", "0"),
    ("exponential_recursion", "timed_out", "timeout_ms"),
    ("fd_hog", "succeeded", "0"),
    ("fill_loop", "timed_out", "timeout_ms"),
    ("fs_hog", "succeeded", "0"),
    ("fs_sparse", "succeeded", "0"),
    ("host_files", "succeeded", "0"),
    ("hostcall_loop", "timed_out", "timeout_ms"),
    ("iov_amplify", "output_exceeded", "output_bytes"),
    ("iov_hog", "succeeded", "0"),
    ("memory_hog", "memory_exceeded", "memory_bytes"),
    ("memory_hog_polite", "failed", "3"),
    ("memory_many", "memory_exceeded", "memory_bytes"),
    ("memory_min_too_big", "memory_exceeded", "memory_bytes"),
    ("missing_import", "rejected", "missing_import"),
    ("net_try", "succeeded", "0"),
    ("no_entry", "rejected", "no_entry_point"),
    ("output_flood", "output_exceeded", "output_bytes"),
    ("partial_output", "trapped", "unreachable"),
    ("partial_then_loop", "timed_out", "timeout_ms"),
    ("poll_hog", "succeeded", "0"),
    ("poll_stdin", "timed_out", "timeout_ms"),
    ("random_hog", "timed_out", "timeout_ms"),
    ("sleep_forever", "timed_out", "timeout_ms"),
    ("sleep_repeat", "timed_out", "timeout_ms"),
    ("start_section_trap", "trapped", "unreachable"),
    ("stderr_flood", "output_exceeded", "output_bytes"),
    ("symlink_loop", "succeeded", "0"),
    ("table_fill_loop", "timed_out", "timeout_ms"),
    ("table_hog", "memory_exceeded", "memory_bytes"),
    ("table_many", "memory_exceeded", "memory_bytes"),
    ("table_min_too_big", "memory_exceeded", "memory_bytes"),
    ("trap_divide", "trapped", "integer_divide_by_zero"),
    ("trap_oob", "trapped", "memory_out_of_bounds"),
    ("trap_unreachable", "trapped", "unreachable"),
    ("wasix_busy", "timed_out", "timeout_ms"),
    ("wasix_exec", "failed", ""),
    ("wasix_fork", "failed", ""),
    ("wasix_sleep", "timed_out", "timeout_ms"),
    ("wasix_socket", "failed", ""),
    ("wasix_spawn", "failed", ""),
    ("wasix_thread", "failed", ""),
];

/// The word that goes with a status: the limit, the error's code, or the exit code.
fn word(execution: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&execution["termination"]["limit"])
        .or_else(|| text(&execution["error"]["code"]))
        .unwrap_or_else(|| execution["exit_code"].to_string())
}

#[tokio::test]
async fn every_hostile_guest_gets_the_verdict_that_its_source_promises() {
    let server = TestServer::start().await;
    let server = &server;
    let runs = EXPECTED.iter().map(|(guest, _, _)| async move {
        server.upload_guest(&format!("hostile/{guest}")).await;
        let execution = server.execute(guest, json!({"limits": {"timeout_ms": TIMEOUT_MS}})).await;
        (guest, execution)
    });
    let mut wrong = Vec::new();
    for ((guest, execution), (_, status, expected)) in join_all(runs).await.into_iter().zip(EXPECTED) {
        let found = word(&execution);
        if execution["status"] != *status || !expected.is_empty() && found != *expected {
            wrong.push(format!("{guest}: expected {status} {expected}, found {execution}"));
        }
        let wall = execution["usage"]["wall_ms"].as_f64().expect("a number");
        assert!(wall < TIMEOUT_MS as f64 + LATE_MS, "{guest} ran {wall} ms");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every thread is free again: as many executions as there are threads run at once.
    server.upload_guest("samples/echo").await;
    let echoes = (0..64).map(|_| server.execute("echo", json!({"input": "still here"})));
    assert!(join_all(echoes).await.iter().all(|execution| execution["stdout"] == "still here"));
}

#[tokio::test]
async fn a_limits_verdict_says_which_limit_its_value_where_it_came_from_and_what_to_do() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/busy_loop").await;
    let asked = server.execute("busy_loop", json!({"limits": {"timeout_ms": 200}})).await;
    let termination = &asked["termination"];
    assert_eq!(termination["limit"], "timeout_ms");
    assert_eq!(termination["configured"], 200);
    assert_eq!(termination["source"], "request");
    assert!(termination["observed"].as_u64().is_some_and(|observed| observed >= 200), "{termination}");
    assert!(termination["how_to_raise"].as_str().is_some_and(|text| text.contains("limits.timeout_ms")));

    server.upload_guest("hostile/memory_hog").await;
    let tier = server.execute("memory_hog", json!({})).await;
    assert_eq!(tier["termination"]["source"], "tier");
    assert_eq!(tier["termination"]["configured"], 134_217_728);
}

#[tokio::test]
async fn output_before_the_end_is_always_returned() {
    let server = TestServer::start().await;
    for guest in ["partial_output", "partial_then_loop"] {
        server.upload_guest(&format!("hostile/{guest}")).await;
        let execution = server.execute(guest, json!({"limits": {"timeout_ms": 300}})).await;
        assert_eq!(execution["stdout"], "before\n", "{execution}");
        assert_eq!(execution["truncated"], false);
    }
    server.upload_guest("hostile/output_flood").await;
    let flood = server.execute("output_flood", json!({"limits": {"output_bytes": 5000}})).await;
    assert_eq!(flood["stdout"].as_str().map(str::len), Some(5000));
    assert_eq!(flood["truncated"], true);
}

#[tokio::test]
async fn loops_in_a_reactors_initialization_end_too() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/busy_loop_init").await;
    let module = server.get("/api/wasm/modules/busy_loop_init").await.json();
    let exports = module["exports"].as_array().expect("a list").clone();
    let function = exports.iter().find_map(|export| {
        let name = export["name"].as_str()?;
        (export["type"].as_str()?.starts_with("(func") && name != "_initialize").then(|| name.to_owned())
    });
    let invocation = json!({"entrypoint": {"function": function}, "limits": {"timeout_ms": 300}});
    assert_eq!(server.execute("busy_loop_init", invocation).await["status"], "timed_out");
}

#[tokio::test]
async fn every_end_leaves_a_record() {
    let server = TestServer::start().await;
    for guest in ["trap_unreachable", "busy_loop", "memory_hog", "missing_import", "output_flood", "env_peek"] {
        server.upload_guest(&format!("hostile/{guest}")).await;
        let execution = server.execute(guest, json!({"limits": {"timeout_ms": 500}})).await;
        let id = execution["id"].as_str().expect("an id");
        let record = server.get(&format!("/api/executions/{id}")).await.json();
        assert_eq!(record["status"], execution["status"], "{record}");
        assert_eq!(record["module"]["name"], guest);
        assert_eq!(record["termination"], execution["termination"]);
    }
}
