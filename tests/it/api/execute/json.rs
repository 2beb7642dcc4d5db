//! `POST /api/wasm/execute` in JSON, and `POST /api/wasm/modules/{module}/execute`

use serde_json::{Value, json};

use crate::support::{TestServer, assert_fields};

const EXECUTE: &str = "/api/wasm/execute";

#[tokio::test]
async fn an_execution_is_told_whole() {
    let server = TestServer::start().await;
    let module = server.get("/api/wasm/modules/echo").await.ok(200);
    let execution = server.execute("echo", json!({"input": "what goes in\n"})).await;
    assert_fields(
        &execution,
        &[
            "id",
            "status",
            "exit_code",
            "module",
            "stdout",
            "stdout_encoding",
            "stderr",
            "stderr_encoding",
            "truncated",
            "files",
            "results",
            "termination",
            "error",
            "usage",
            "created_at",
        ],
    );
    assert_eq!((&execution["status"], &execution["exit_code"]), (&json!("succeeded"), &json!(0)));
    let (id, sha256) = (&module["id"], &module["sha256"]);
    assert_eq!(execution["module"], json!({"id": id, "name": "echo", "version": 1, "sha256": sha256}));
    assert_eq!((&execution["stdout"], &execution["stdout_encoding"]), (&json!("what goes in\n"), &json!("utf8")));
    assert_eq!((&execution["stderr"], &execution["stderr_encoding"]), (&json!(""), &json!("utf8")));
    assert_eq!((&execution["files"], &execution["results"]), (&json!([]), &json!([])));
    assert_eq!((&execution["termination"], &execution["error"]), (&json!(null), &json!(null)));
    assert_eq!(execution["truncated"], false);
    let usage = &execution["usage"];
    assert_fields(
        usage,
        &[
            "wall_ms",
            "cpu_ms",
            "queued_ms",
            "compile_ms",
            "peak_memory_bytes",
            "stdout_bytes",
            "stderr_bytes",
            "memory_limit_hit",
        ],
    );
    assert_eq!((&usage["stdout_bytes"], &usage["stderr_bytes"]), (&json!(13), &json!(0)));
    assert!(usage["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes >= 65536), "{usage}");
    assert!(usage["wall_ms"].as_f64().is_some_and(|wall| wall > 0.0 && wall < 5000.0), "{usage}");
    let again = server.execute("echo", json!({})).await;
    assert!(
        again["usage"]["compile_ms"].as_f64().is_some_and(|compile| compile < 50.0),
        "it was compiled already: {again}"
    );
}

#[tokio::test]
async fn args_and_env_reach_the_guest_in_order_and_untouched() {
    let server = TestServer::start().await;
    server.upload_guest("features/args_env").await;
    let args = ["--width", "80", "", "a b", "ünï", "$HOME", "*", "'\"\\", "-"];
    let body = json!({"args": args, "env": {"LANG": "C", "EMPTY": "", "EQUALS": "a=b", "Ü": "ü"}});
    let stdout = server.execute("args_env", body).await["stdout"].as_str().expect("text").to_owned();
    let found: Vec<_> = stdout.lines().filter_map(|line| line.strip_prefix("arg ")).skip(1).collect();
    assert_eq!(found, args);
    let mut env: Vec<_> = stdout.lines().filter_map(|line| line.strip_prefix("env ")).collect();
    env.sort_unstable();
    assert_eq!(env, ["EMPTY=", "EQUALS=a=b", "LANG=C", "Ü=ü"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_go_in_and_come_out_as_base64() {
    let server = TestServer::start().await;
    let execution = server.execute("echo", json!({"input_base64": "//4A/w=="})).await;
    assert_eq!((&execution["stdout"], &execution["stdout_encoding"]), (&json!("//4A/w=="), &json!("base64")));
    let text = server.execute("echo", json!({"input_base64": "aMOp"})).await;
    assert_eq!((&text["stdout"], &text["stdout_encoding"]), (&json!("hé"), &json!("utf8")));
    assert_eq!(server.execute("echo", json!({"input": null, "input_base64": ""})).await["stdout"], "");
    // Text that JSON would make larger than base64 is none that anybody reads.
    let controls = server.execute("echo", json!({"input": "a\u{0}b"})).await;
    assert_eq!((&controls["stdout"], &controls["stdout_encoding"]), (&json!("YQBi"), &json!("base64")));
}

#[tokio::test]
async fn one_input_is_given_in_one_way() {
    let server = TestServer::start().await;
    let run = async |body: Value| server.post("/api/wasm/modules/echo/execute", &body).await;
    run(json!({"input": "a", "input_base64": "YQ=="})).await.blames(422, "invalid_input", "input", "input_base64");
    for bad in ["@", "YQ", "YQ=", "aGk=\n", "_-8="] {
        let problem = run(json!({"input_base64": bad})).await.problem(422, "invalid_input");
        assert!(problem.to_string().contains("no base64"), "{bad}: {problem}");
    }
}

#[tokio::test]
async fn files_go_in_and_only_those_asked_for_come_out() {
    let server = TestServer::start().await;
    server.upload_guest("features/files_inout").await;
    let body = |collect: Value| {
        json!({
            "files": [{"path": "/in/a.txt", "content": "aGVsbG8=", "encoding": "base64"}, {"path": "empty/"}],
            "collect_files": collect,
        })
    };
    let execution = server.execute("files_inout", body(json!(["out/*.json", "in/**"]))).await;
    let files = execution["files"].as_array().expect("a list");
    let paths: Vec<_> = files.iter().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!(paths, ["in/a.txt", "out/c.json"], "{execution}");
    assert_eq!(files[0], json!({"path": "in/a.txt", "content": "hello", "encoding": "utf8"}));
    assert_eq!(server.execute("files_inout", body(json!(["nothing/*"]))).await["files"], json!([]));
    assert_eq!(server.execute("files_inout", body(json!([]))).await["files"], json!([]));
}

#[tokio::test]
async fn files_that_cannot_be_laid_out_are_named() {
    let server = TestServer::start().await;
    let run = async |body: Value| server.post("/api/wasm/modules/hello/execute", &body).await;
    let long = "x".repeat(256);
    for path in [
        "",
        "/",
        "..",
        "../etc/passwd",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        "a\u{0}b",
        long.as_str(),
        &"x/".repeat(3000),
    ] {
        let body = json!({"files": [{"path": "fine", "content": ""}, {"path": path, "content": "x"}]});
        run(body).await.blames(422, "invalid_input", "files[1].path", "");
    }
    let directory = json!({"files": [{"path": "dir/", "content": "x"}]});
    run(directory).await.blames(422, "invalid_input", "files[0].path", "directory");
    let base64 = json!({"files": [{"path": "a", "content": "@", "encoding": "base64"}]});
    run(base64).await.blames(422, "invalid_input", "files[0].content", "base64");
    let encoding = run(json!({"files": [{"path": "a", "content": "", "encoding": "rot13"}]})).await;
    assert!(encoding.problem(422, "invalid_input").to_string().contains("rot13"), "{}", encoding.text());
    run(json!({"collect_files": ["ok", "["]})).await.blames(422, "invalid_input", "collect_files[1]", "");
    let many = run(json!({"collect_files": vec!["a"; 65]})).await.problem(422, "invalid_input");
    assert!(many.to_string().contains("64"), "{many}");
    let costly = json!({"collect_files": vec!["{a,b}*{c,d}*".repeat(300); 64]});
    let answer = run(costly).await;
    assert!([200, 422].contains(&answer.status.as_u16()), "{}", answer.text());
}

#[tokio::test]
async fn files_in_each_others_way_are_named() {
    let server = TestServer::start().await;
    let run = async |body: Value| server.post("/api/wasm/modules/hello/execute", &body).await;
    let file = |path: &str| json!({"path": path, "content": "x"});
    for files in [json!([file("a"), file("a/b")]), json!([file("a/b"), file("a")]), json!([file("a"), {"path": "a/"}])]
    {
        let execution = run(json!({"files": files})).await.ok(200);
        let (status, code) = (&execution["status"], &execution["error"]["code"]);
        assert_eq!((status, code), (&json!("rejected"), &json!("cannot_add_file")), "{execution}");
        assert!(execution["error"]["message"].as_str().is_some_and(|message| message.contains("`a")), "{execution}");
    }
}

#[tokio::test]
async fn input_files_over_the_limit_are_told_the_limit() {
    let server = TestServer::start().await;
    let body = json!({"files": [{"path": "a", "content": "x".repeat(2000)}], "limits": {"file_bytes": 1000}});
    let answer = server.post("/api/wasm/modules/hello/execute", &body).await;
    assert!(answer.status == 422 || answer.json()["status"] != "succeeded", "{}", answer.text());
    assert!(answer.text().contains("file_bytes") && answer.text().contains("1000"), "{}", answer.text());
}

#[tokio::test]
async fn arguments_that_no_program_could_be_given_are_refused() {
    let server = TestServer::start().await;
    let run = async |body: Value| server.post("/api/wasm/modules/hello/execute", &body).await;
    run(json!({"args": ["ok", "a\u{0}b"]})).await.blames(422, "invalid_input", "args[1]", "NUL");
    run(json!({"env": {"A": "\u{0}"}})).await.blames(422, "invalid_input", "env.A", "NUL");
    run(json!({"env": {"A\u{0}": "x"}})).await.blames(422, "invalid_input", "env.A\u{0}", "NUL");
    run(json!({"env": {"": "x"}})).await.blames(422, "invalid_input", "env", "name");
    run(json!({"env": {"A=B": "x"}})).await.blames(422, "invalid_input", "env", "=");
    for body in [
        json!({"args": ["x".repeat(200_000)]}),
        json!({"env": {"A": "x".repeat(200_000)}}),
        json!({"args": vec![""; 65_536 * 2]}),
    ] {
        let answer = run(body).await;
        assert!([413, 422].contains(&answer.status.as_u16()), "{}", answer.text());
    }
    let fits = run(json!({"args": ["x".repeat(100_000)], "env": {"A": "x".repeat(20_000)}})).await;
    assert_eq!(fits.ok(200)["status"], "succeeded");
    let many = run(json!({"args": vec!["x"; 60_000]})).await;
    assert_eq!(many.ok(200)["status"], "succeeded", "{}", many.text());
}

#[tokio::test]
async fn limits_are_lowered_and_never_raised() {
    let server = TestServer::start().await;
    let run = async |limits: Value| server.post("/api/wasm/modules/hello/execute", &json!({"limits": limits})).await;
    run(json!({"timeout_ms": 5001})).await.blames(422, "invalid_input", "limits.timeout_ms", "5000");
    run(json!({"memory_bytes": 134_217_729_u64})).await.blames(
        422,
        "invalid_input",
        "limits.memory_bytes",
        "134217728",
    );
    run(json!({"output_bytes": u64::MAX})).await.blames(422, "invalid_input", "limits.output_bytes", "10485760");
    run(json!({"file_bytes": 67_108_865})).await.blames(422, "invalid_input", "limits.file_bytes", "67108864");
    run(json!({"timeout_ms": 0})).await.blames(422, "invalid_input", "limits.timeout_ms", "1 to 5000");
    let both = run(json!({"timeout_ms": 9999, "memory_bytes": 0})).await.problem(422, "invalid_input");
    assert_eq!(both["errors"].as_array().map(Vec::len), Some(2), "{both}");
    run(json!({"timeout_ms": 5000, "memory_bytes": 134_217_728})).await.ok(200);
    let low = run(json!({"output_bytes": 5})).await.ok(200);
    assert_eq!(
        (&low["status"], &low["stdout"], &low["truncated"]),
        (&json!("output_exceeded"), &json!("Hello"), &json!(true))
    );
    assert_fields(&low["termination"], &["limit", "configured", "observed", "source", "how_to_raise"]);
    assert_eq!(
        (&low["termination"]["limit"], &low["termination"]["source"]),
        (&json!("output_bytes"), &json!("request"))
    );
    let little = run(json!({"memory_bytes": 1})).await.ok(200);
    assert_eq!(little["status"], "memory_exceeded", "{little}");
}

#[tokio::test]
async fn functions_are_called_with_numbers_and_their_results_come_back() {
    let server = TestServer::start().await;
    server.upload_guest("features/exports_all_types").await;
    let call = async |function: &str, params: Value| {
        server.execute("exports_all_types", json!({"entrypoint": {"function": function, "params": params}})).await
    };
    let results = async |function: &str, params: Value| {
        let execution = call(function, params).await;
        assert_eq!(execution["status"], "succeeded", "{execution}");
        execution["results"].clone()
    };
    assert_eq!(results("add_i32", json!([2, -3])).await, json!([-1]));
    assert_eq!(results("add_i64", json!(["9223372036854775807", "-1"])).await, json!([9_223_372_036_854_775_806_i64]));
    assert_eq!(results("add_f32", json!([0.1, 0.2])).await.to_string(), "[0.3]");
    assert_eq!(results("add_f64", json!([1, 2.5])).await, json!([3.5]));
    assert_eq!(results("swap", json!([1, 2])).await, json!([2, 1]));
    assert_eq!(results("all", json!([1, -1, 0.5, "NaN"])).await, json!([1, -1, 0.5, "NaN"]));
    assert_eq!(results("nothing", json!([])).await, json!([]));
    assert_eq!(results("i64_min", json!(null)).await, json!([i64::MIN]));
    assert_eq!(results("infinity", json!([])).await, json!(["Infinity"]));
    assert_eq!(results("minus_infinity", json!([])).await, json!(["-Infinity"]));
    assert_eq!(results("minus_zero", json!([])).await.to_string(), "[-0.0]");
    let trap = call("divide", json!([1, 0])).await;
    assert_eq!((&trap["status"], &trap["error"]["code"]), (&json!("trapped"), &json!("integer_divide_by_zero")));
    assert_fields(&trap["error"], &["code", "message"]);
}

#[tokio::test]
async fn a_function_that_cannot_be_called_says_why() {
    let server = TestServer::start().await;
    server.upload_guest("features/exports_all_types").await;
    let call = async |entrypoint: Value| {
        server.post("/api/wasm/modules/exports_all_types/execute", &json!({"entrypoint": entrypoint})).await
    };
    let cases = [
        (json!({"function": "missing"}), "missing"),
        (json!({"function": "add_i32", "params": [1]}), "2"),
        (json!({"function": "add_i32", "params": [1, 2, 3]}), "2"),
        (json!({"function": "add_i32", "params": [1, 2.5]}), "2.5"),
        (json!({"function": "add_i32", "params": [1, 4_294_967_296_u64]}), "4294967296"),
        (json!({"function": ""}), ""),
    ];
    for (entrypoint, words) in cases {
        let answer = call(entrypoint.clone()).await;
        // Either the request is wrong, or the module is: never the server, and never a silent success.
        if answer.status == 200 {
            let execution = answer.json();
            assert_eq!(execution["status"], "rejected", "{entrypoint}: {execution}");
            assert!(
                execution["error"]["message"].as_str().is_some_and(|text| text.contains(words)),
                "{words} in {execution}"
            );
        } else {
            let problem = answer.problem(422, "invalid_input");
            assert!(problem.to_string().contains(words), "{words} in {problem}");
        }
    }
    for params in [json!(["two", 1]), json!([[1], 2]), json!([true, 1]), json!([null, 1]), json!(vec![1; 1001])] {
        call(json!({"function": "add_i32", "params": params})).await.problem(422, "invalid_input");
    }
    let none = server.execute("fibonacci", json!({})).await;
    assert_eq!((&none["status"], &none["error"]["code"]), (&json!("rejected"), &json!("no_entry_point")));
}

#[tokio::test]
async fn the_module_of_the_path_runs_also_without_a_body() {
    let server = TestServer::start().await;
    let empty = server.send(server.request(reqwest::Method::POST, "/api/wasm/modules/hello/execute")).await;
    assert_eq!(empty.ok(200)["stdout"], "Hello, world!\n");
    let named = server.post("/api/wasm/modules/hello@1/execute", &json!({"args": ["Ada"]})).await;
    assert_eq!(named.ok(200)["stdout"], "Hello, Ada!\n");
    server.post("/api/wasm/modules/nothing/execute", &json!({})).await.problem(404, "not_found");
    server.post(EXECUTE, &json!({"module": "nothing"})).await.problem(404, "not_found");
    server.post(EXECUTE, &json!({"module": ""})).await.blames(422, "invalid_input", "module", "write a name");
    let charset = server.post_text(EXECUTE, "application/json; charset=utf-8", "{\"module\": \"hello\"}").await;
    charset.ok(200);
}
