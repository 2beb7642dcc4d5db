//! `GET /api/executions` and `/api/executions/{id}`

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, TestServer, assert_fields, items};

const EXECUTIONS: &str = "/api/executions";

/// The ids of a list, page by page.
async fn ids(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut path) = (Vec::new(), format!("{EXECUTIONS}?limit={limit}{query}"));
    loop {
        let page = client.get(&path).await.ok(200);
        assert!(items(&page).len() <= limit);
        ids.extend(items(&page).iter().map(id));
        let Some(cursor) = page["next_cursor"].as_str() else { return ids };
        path = format!("{EXECUTIONS}?limit={limit}{query}&cursor={cursor}");
    }
}

fn id(execution: &Value) -> String {
    execution["id"].as_str().unwrap_or_else(|| panic!("no id: {execution}")).to_owned()
}

#[tokio::test]
async fn what_ran_is_recorded_without_its_output() {
    let server = TestServer::builder().with_login().start().await;
    server.upload_guest("hostile/partial_then_loop").await;
    let ran = server.execute("partial_then_loop", json!({"limits": {"timeout_ms": 300}})).await;
    let answer = server.get(&format!("{EXECUTIONS}/{}", id(&ran))).await;
    let record = answer.ok(200);
    assert_fields(
        &record,
        &[
            "id",
            "status",
            "exit_code",
            "module",
            "key_id",
            "truncated",
            "termination",
            "error",
            "limits",
            "usage",
            "created_at",
        ],
    );
    for field in ["id", "status", "exit_code", "module", "truncated", "termination", "error", "usage", "created_at"] {
        assert_eq!(record[field], ran[field], "{field}");
    }
    assert_eq!(record["status"], "timed_out");
    assert_eq!(record["limits"], json!({"timeout_ms": 300, "memory_bytes": 134_217_728}));
    assert_eq!(record["key_id"], server.get("/api/auth/me").await.ok(200)["key_id"]);
    assert!(!answer.text().contains("before"), "no output is kept");
    let module = server.get("/api/wasm/modules/partial_then_loop").await.ok(200);
    assert!(module["last_executed_at"].is_string(), "{module}");
    assert_eq!(items(&server.get(EXECUTIONS).await.ok(200)), &[record]);
}

#[tokio::test]
async fn pages_of_any_size_have_each_execution_once_while_others_run() {
    let server = TestServer::start().await;
    let body = json!({"module": "fibonacci", "entrypoint": {"function": "fib", "params": [10]}});
    let run = async || id(&server.post("/api/wasm/execute", &body).await.ok(200));
    run().await;
    let mut expected = BTreeSet::new();
    for _ in 0..25 {
        expected.extend(futures::future::join_all((0..10).map(|_| run())).await);
    }
    assert_eq!(expected.len(), 250);
    for limit in [9, 100] {
        let adding = async {
            for _ in 0..20 {
                run().await;
            }
        };
        let (found, ()) = tokio::join!(ids(&server, "", limit), adding);
        let unique: BTreeSet<_> = found.iter().cloned().collect();
        assert_eq!(unique.len(), found.len(), "none is there twice in pages of {limit}");
        assert!(expected.is_subset(&unique), "all are there in pages of {limit}");
        let newest_first: Vec<_> = unique.into_iter().rev().collect();
        assert_eq!(found, newest_first, "ids sort by age");
    }
}

#[tokio::test]
async fn executions_are_found_by_module_status_and_time() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/exit_code").await;
    let first = server.execute("hello", json!({})).await;
    let failed = server.execute("exit_code", json!({"args": ["7"]})).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let last = server.execute("exit_code", json!({"args": ["0"]})).await;
    let (first, failed, after, last) = (id(&first), id(&failed), last["created_at"].clone(), id(&last));
    let after = after.as_str().expect("a time");
    let module = server.get("/api/wasm/modules/exit_code").await.ok(200);
    let by_id = format!("&module={}", id(&module));
    for (query, expected) in [
        ("", vec![&last, &failed, &first]),
        ("&module=exit_code", vec![&last, &failed]),
        (by_id.as_str(), vec![&last, &failed]),
        ("&module=hello", vec![&first]),
        ("&status=failed", vec![&failed]),
        ("&status=succeeded", vec![&last, &first]),
        ("&status=timed_out", vec![]),
        ("&module=exit_code&status=succeeded", vec![&last]),
        (&format!("&since={after}"), vec![&last]),
        (&format!("&until={after}"), vec![&failed, &first]),
        (&format!("&since={after}&until={after}"), vec![]),
        ("&since=2020-01-01T00:00:00Z&until=2999-01-01T00:00:00%2B01:00", vec![&last, &failed, &first]),
    ] {
        assert_eq!(ids(&server, query, 2).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    server.get(&format!("{EXECUTIONS}?module=nothing")).await.problem(404, "not_found");
    for query in ["status=bad", "since=yesterday", "until=1", "since="] {
        let location = query.split('=').next().expect("a name");
        server.get(&format!("{EXECUTIONS}?{query}")).await.blames(422, "invalid_input", location, "");
    }
}

#[tokio::test]
async fn somebody_elses_execution_is_not_there() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    let path = format!("{EXECUTIONS}/{}", id(&ada.execute("hello", json!({})).await));
    ada.get(&path).await.ok(200);
    bob.get(&path).await.problem(404, "not_found");
    server.get(&path).await.problem(404, "not_found");
    assert!(ids(&bob, "", 10).await.is_empty());
    assert_eq!(ids(&ada, "&module=hello", 10).await.len(), 1);
    assert!(ids(&bob, "&module=hello", 10).await.is_empty(), "the same sample, other executions");
    ada.get(&format!("{EXECUTIONS}/01890000-0000-7000-8000-000000000000")).await.problem(404, "not_found");
    ada.get(&format!("{EXECUTIONS}/x")).await.blames(422, "invalid_input", "id", "UUID");
}
