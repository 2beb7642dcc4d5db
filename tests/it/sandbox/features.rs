//! What guests of every language are given.

use serde_json::{Value, json};

use crate::support::TestServer;

async fn run(server: &TestServer, guest: &str, invocation: Value) -> Value {
    let name = server.upload_guest(guest).await;
    let execution = server.execute(name, invocation).await;
    assert_eq!(execution["status"], "succeeded", "{guest}: {execution}");
    execution
}

#[tokio::test]
async fn guests_in_c_rust_assemblyscript_and_wat_run() {
    let server = TestServer::start().await;
    let text = |execution: Value| execution["stdout"].as_str().expect("text").to_owned();
    assert!(text(run(&server, "samples/hello", json!({"args": ["Ada"]})).await).contains("Ada"));
    assert_eq!(text(run(&server, "samples/echo", json!({"input": "h\u{e9}llo"})).await), "h\u{e9}llo");
    let counted = run(&server, "samples/wordcount", json!({"input": "a b a", "args": ["--json"]})).await;
    assert!(serde_json::from_str::<Value>(&text(counted)).is_ok());
    let fib = json!({"entrypoint": {"function": "fib", "params": [50]}});
    assert_eq!(run(&server, "samples/fibonacci", fib).await["results"], json!([12_586_269_025_i64]));
    assert_eq!(text(run(&server, "samples/textcase", json!({"input": "abc", "args": ["upper"]})).await).trim(), "ABC");
    let image = run(&server, "samples/mandelbrot", json!({"args": ["64", "48"]})).await;
    assert_eq!(image["stdout_encoding"], "base64");
}

#[tokio::test]
async fn c_programs_find_the_file_system_they_expect() {
    let server = TestServer::start().await;
    let execution = run(&server, "features/c_stdio", json!({})).await;
    let stdout = execution["stdout"].as_str().expect("text");
    assert!(stdout.contains("ok ") && !stdout.contains("FAIL"), "{stdout}");
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let server = TestServer::start().await;
    let invocation = json!({
        "files": [{"path": "in/a.txt", "content": "hello"}, {"path": "out/"}],
        "collect_files": ["out/**"],
    });
    let execution = run(&server, "features/files_inout", invocation).await;
    let files = execution["files"].as_array().expect("a list");
    let content = |path: &str| files.iter().find(|file| file["path"] == path).map(|file| file["content"].clone());
    assert_eq!(content("out/b.txt"), Some("HELLO".into()), "{execution}");
    assert!(content("out/c.json").is_some());
}

#[tokio::test]
async fn the_rest_of_what_programs_need_is_there() {
    let server = TestServer::start().await;
    let plain = ["unstable_hello", "rust_hello_fs", "clock_random", "wasix_hello", "wasix_file", "unstable_abi"];
    for guest in plain {
        run(&server, &format!("features/{guest}"), json!({})).await;
    }
    let slept = run(&server, "features/sleep_ms", json!({"args": ["50"]})).await;
    assert!(slept["usage"]["wall_ms"].as_f64().is_some_and(|wall| wall >= 50.0), "{slept}");
    assert!(
        slept["usage"]["cpu_ms"].as_f64().is_some_and(|cpu| cpu < 50.0),
        "sleeping takes no processor time: {slept}"
    );
    let burnt = run(&server, "features/cpu_burn", json!({"args": ["50"]})).await;
    assert!(burnt["usage"]["cpu_ms"].as_f64().is_some_and(|cpu| cpu > 0.1), "{burnt}");
    let both = run(&server, "features/stderr_both", json!({})).await;
    assert!(both["stdout"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(both["stderr"].as_str().is_some_and(|text| !text.is_empty()));
    let xored = run(&server, "features/stdin_binary", json!({"input_base64": "AAECAw=="})).await;
    assert_eq!(xored["stdout"], "Z[XY");
}
