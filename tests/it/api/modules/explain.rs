//! `GET /api/wasm/modules/{module}/explain`

use serde_json::json;

use crate::support::{TestServer, assert_fields};

#[tokio::test]
async fn limits_are_told_with_where_each_comes_from() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "free").await;
    let explained = ada.get("/api/wasm/modules/hello/explain?timeout_ms=700&output_bytes=1048576").await.ok(200);
    assert_fields(
        &explained,
        &[
            "admitted",
            "remarks",
            "module",
            "abi",
            "kind",
            "functions",
            "memory_min_bytes",
            "tier",
            "concurrent_executions",
            "limits",
        ],
    );
    assert_eq!((&explained["admitted"], &explained["remarks"]), (&json!(true), &json!([])));
    assert_eq!((&explained["kind"], &explained["abi"]), (&json!("command"), &json!("wasi_preview1")));
    assert_eq!((&explained["tier"], &explained["concurrent_executions"]), (&json!("free"), &json!(2)));
    let limits = &explained["limits"];
    assert_eq!(limits["timeout_ms"], json!({"value": 700, "source": "request"}));
    assert_eq!(limits["output_bytes"], json!({"value": 1_048_576, "source": "tier"}), "as much as the tier has anyway");
    assert_eq!(limits["memory_bytes"], json!({"value": 134_217_728, "source": "tier"}));
    assert_eq!(limits["file_bytes"], json!({"value": 16_777_216, "source": "tier"}));
    assert_eq!(limits["file_entries"]["source"], "tier");
    assert_eq!(limits["open_files"]["source"], "tier");
    ada.get("/api/wasm/modules/hello/explain?timeout_ms=5001").await.blames(
        422,
        "invalid_input",
        "limits.timeout_ms",
        "5000",
    );
    ada.get("/api/wasm/modules/hello/explain?memory_bytes=x").await.problem(422, "invalid_input");
}

#[tokio::test]
async fn what_stands_in_the_way_of_running_is_told_without_running() {
    let server = TestServer::start().await;
    for (guest, words) in [
        ("hostile/missing_import", "imports"),
        ("hostile/memory_min_too_big", "3221225472"),
        ("hostile/no_entry", "exports no function"),
    ] {
        let name = server.upload_guest(guest).await;
        let explained = server.get(&format!("/api/wasm/modules/{name}/explain")).await.ok(200);
        assert_eq!(explained["admitted"], false, "{explained}");
        assert!(explained["remarks"].to_string().contains(words), "{words} in {explained}");
    }
    let library = server.get("/api/wasm/modules/fibonacci/explain").await.ok(200);
    assert_eq!((&library["admitted"], &library["kind"]), (&json!(true), &json!("library")));
    assert_eq!(library["functions"], json!(["fib", "add"]));
    assert_eq!(server.get("/api/executions").await.ok(200)["items"], json!([]), "nothing ran");
}
