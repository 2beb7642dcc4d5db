//! What a key may be used for.

use reqwest::{Method, multipart};
use serde_json::json;

use crate::support::{Answer, Client, TestServer, guest};

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    match (method, path) {
        ("POST", "/api/wasm/upload") => client.upload("hello", guest("samples/hello")).await,
        ("FORM", path) => {
            let wasm = multipart::Part::bytes(guest("samples/hello")).file_name("x");
            client.post_form(path, multipart::Form::new().part("wasm", wasm)).await
        }
        ("POST", path) => {
            let body = match path {
                "/api/wasm/execute" => json!({"module": "hello"}),
                "/api/auth/keys" => json!({"name": "x"}),
                "/api/admin/users" => json!({"name": "x"}),
                path if path.starts_with("/api/admin") => json!({"name": "x"}),
                _ => json!({}),
            };
            client.post(path, &body).await
        }
        (method, path) => client.send(client.request(method.parse::<Method>().expect("a method"), path)).await,
    }
}

#[tokio::test]
async fn every_endpoint_refuses_a_key_without_its_scope_and_takes_one_with_it() {
    let server = TestServer::builder().with_login().start().await;
    server.upload_guest("samples/hello").await;
    let id = "01890000-0000-7000-8000-000000000000";
    let endpoints = [
        ("modules:write", "POST", "/api/wasm/upload".to_owned()),
        ("modules:write", "DELETE", format!("/api/wasm/modules/{id}")),
        ("modules:read", "GET", "/api/wasm/modules".to_owned()),
        ("modules:read", "GET", "/api/wasm/modules/hello".to_owned()),
        ("modules:read", "GET", "/api/wasm/modules/hello/content".to_owned()),
        ("execute", "GET", "/api/wasm/modules/hello/explain".to_owned()),
        ("execute", "POST", "/api/wasm/execute".to_owned()),
        ("execute", "FORM", "/api/wasm/execute".to_owned()),
        ("execute", "POST", "/api/wasm/modules/hello/execute".to_owned()),
        ("execute", "POST", "/api/wasm/modules/hello/run".to_owned()),
        ("execute", "GET", "/api/executions".to_owned()),
        ("execute", "GET", format!("/api/executions/{id}")),
        ("keys", "GET", "/api/auth/keys".to_owned()),
        ("keys", "POST", "/api/auth/keys".to_owned()),
        ("keys", "DELETE", format!("/api/auth/keys/{id}")),
        ("admin", "GET", "/api/admin/users".to_owned()),
        ("admin", "POST", "/api/admin/users".to_owned()),
        ("admin", "POST", format!("/api/admin/users/{id}/keys")),
    ];
    let scopes = ["modules:read", "modules:write", "execute", "keys", "admin"];
    for scope in scopes {
        let with = json!({"name": scope, "scopes": [scope], "role": "admin"});
        let with = server.post("/api/auth/keys", &with).await.ok(201);
        let with = server.with_key(with["secret"].as_str().expect("a secret"));
        for (needed, method, path) in &endpoints {
            let answer = ask(&with, method, path).await;
            if *needed == scope {
                // Whatever else is wrong, it is not the scope.
                let status = answer.status.as_u16();
                assert!([200, 201, 404].contains(&status), "{method} {path} with {scope}: {}", answer.text());
            } else {
                let problem = answer.problem(403, "forbidden");
                let detail = problem["detail"].as_str().unwrap_or_default();
                assert!(detail.contains(needed), "{method} {path} with {scope}: {problem}");
            }
        }
    }
}

#[tokio::test]
async fn the_scope_admin_is_nothing_without_the_role() {
    let server = TestServer::builder().with_login().start().await;
    let body = json!({"name": "no role", "role": "user", "scopes": ["admin"]});
    let answer = server.post("/api/auth/keys", &body).await;
    if answer.status == 201 {
        let key = answer.json();
        let key = server.with_key(key["secret"].as_str().expect("a secret"));
        key.get("/api/admin/users").await.problem(403, "forbidden");
    } else {
        answer.problem(422, "invalid_input");
    }
    let ada = server.new_user("ada", "free").await;
    ada.get("/api/admin/users").await.problem(403, "forbidden");
}
