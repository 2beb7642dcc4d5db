//! Modules that are made to hurt the compiler cost one worker for a bounded time.

use futures::future::join_all;
use serde_json::json;

use crate::support::TestServer;

const CONFIG: &str =
    "[executor.wasmer.compile]\ntimeout_ms = 3000\nmemory_bytes = 1073741824\nprocesses = 2\nwait_ms = 60000";

#[tokio::test]
async fn a_bomb_is_answered_with_what_happened_while_others_are_served() {
    let server = TestServer::builder().with(CONFIG).start().await;
    server.upload_guest("samples/echo").await;
    server.execute("echo", json!({"input": "compiled"})).await;
    let bombs = ["bomb_blocks", "bomb_brtable", "bomb_functions", "bomb_locals", "bomb_loops"];
    for bomb in bombs {
        server.upload_guest(&format!("hostile/{bomb}")).await;
    }
    let bombing = join_all(bombs.map(|bomb| server.execute(bomb, json!({}))));
    let neighbour = async {
        for _ in 0..20 {
            assert_eq!(server.execute("echo", json!({"input": "hi"})).await["stdout"], "hi");
        }
    };
    let (executions, ()) = tokio::join!(bombing, neighbour);
    let mut refused = 0;
    for execution in &executions {
        // What the machine compiles in time may run.
        if execution["status"] == "rejected" {
            refused += 1;
            let code = execution["error"]["code"].as_str().expect("it says why");
            assert!(["compile_limit", "compiler_crashed", "compile_error"].contains(&code), "{execution}");
        } else {
            assert!(["succeeded", "trapped", "timed_out"].contains(&execution["status"].as_str().expect("text")));
        }
    }
    assert!(refused >= 1, "at least the worst bomb is refused: {executions:?}");
    let peak = server.peak_resident();
    assert!(peak < 1 << 30, "none of it reached the server's memory: {} MiB", peak >> 20);
}

#[tokio::test]
async fn two_requests_for_one_cold_module_compile_it_once() {
    let server = TestServer::start().await;
    server.upload_guest("samples/wordcount").await;
    let runs = join_all((0..16).map(|_| server.execute("wordcount", json!({"input": "a b c"})))).await;
    assert!(runs.iter().all(|execution| execution["status"] == "succeeded"));
    let metrics = server.get("/metrics").await.text();
    let compilations = metrics.lines().find(|line| line.starts_with("wasmwiz_executor_compilations")).expect("counted");
    assert!(compilations.ends_with(" 1"), "{compilations}");
}

#[tokio::test]
async fn a_restart_finds_compiled_modules_and_a_tampered_one_is_compiled_again() {
    let mut server = TestServer::start().await;
    server.upload_guest("samples/echo").await;
    server.execute("echo", json!({"input": "x"})).await;
    let artifacts = server.folder().join("data/artifacts");
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&artifacts).expect("the cache's folder");
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some()).collect()
    };
    for _ in 0..100 {
        // Writing to disk does not hold up the answer.
        if !files().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let compilations = async |server: &TestServer| {
        let metrics = server.get("/metrics").await.text();
        let line = metrics.lines().find(|line| line.starts_with("wasmwiz_executor_compilations")).expect("counted");
        line.rsplit(' ').next().expect("a number").to_owned()
    };
    server.restart();
    assert_eq!(server.execute("echo", json!({"input": "from disk"})).await["stdout"], "from disk");
    assert_eq!(compilations(&server).await, "0");
    for file in files() {
        let mut bytes = std::fs::read(&file).expect("readable");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
    }
    server.restart();
    assert_eq!(server.execute("echo", json!({"input": "again"})).await["stdout"], "again");
    assert_eq!(compilations(&server).await, "1");
}
