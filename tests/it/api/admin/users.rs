//! `POST` and `GET /api/admin/users`, `POST /api/admin/users/{id}/keys`

use serde_json::{Value, json};

use crate::support::{TestServer, assert_fields, items};

const USERS: &str = "/api/admin/users";

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}"))
}

#[tokio::test]
async fn an_administrator_adds_a_user_who_then_has_a_key() {
    let server = TestServer::builder().with_login().start().await;
    let user = server.post(USERS, &json!({"name": "ada@example.org"})).await.ok(201);
    assert_fields(&user, &["id", "name", "tier", "role", "created_at"]);
    assert_eq!((&user["tier"], &user["role"]), (&json!("free"), &json!("user")));
    let answer = server.post(&format!("{USERS}/{}/keys", id(&user)), &json!({"name": "first", "tier": "pro"})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let key = answer.ok(201);
    assert_eq!((&key["tier"], &key["role"]), (&json!("pro"), &json!("user")));
    let me = server.with_key(key["secret"].as_str().expect("a secret")).get("/api/auth/me").await.ok(200);
    assert_eq!((&me["user_id"], &me["user_name"]), (&user["id"], &user["name"]));
    let page = server.get(USERS).await.ok(200);
    let names: Vec<_> = items(&page).iter().filter_map(|user| user["name"].as_str()).collect();
    assert_eq!(names[..2], ["ada@example.org", "admin"]);
    assert!(!server.get(USERS).await.text().contains("ww_"));
}

#[tokio::test]
async fn a_name_is_taken_once_also_by_many_at_a_time() {
    let server = TestServer::builder().with_login().start().await;
    let body = json!({"name": "ada"});
    let answers = futures::future::join_all((0..8).map(|_| server.post(USERS, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "conflict");
    }
    for taken in ["admin", "samples", "local"] {
        server.post(USERS, &json!({"name": taken})).await.problem(409, "conflict");
    }
}

#[tokio::test]
async fn a_user_that_cannot_be_says_why() {
    let server = TestServer::builder().with_login().start().await;
    for name in ["", " ", "a b", "../x", "<b>", "é", "-a", "a\u{0}", &"x".repeat(65)] {
        server.post(USERS, &json!({"name": name})).await.blames(422, "invalid_input", "name", "1 to 64");
    }
    let answer = server.post(USERS, &json!({"name": "x", "tier": "gold"})).await;
    answer.blames(422, "invalid_input", "tier", "free, basic, pro");
    let nobody = format!("{USERS}/01890000-0000-7000-8000-000000000000/keys");
    server.post(&nobody, &json!({"name": "x"})).await.problem(404, "not_found");
    server.post(&format!("{USERS}/ada/keys"), &json!({"name": "x"})).await.blames(422, "invalid_input", "id", "UUID");
}

#[tokio::test]
async fn a_users_key_has_no_more_than_the_users_role() {
    let server = TestServer::builder().with_login().start().await;
    let user = server.post(USERS, &json!({"name": "ada", "role": "user"})).await.ok(201);
    let keys = format!("{USERS}/{}/keys", id(&user));
    server.post(&keys, &json!({"name": "x", "role": "admin"})).await.blames(422, "invalid_input", "role", "`user`");
    let key = server.post(&keys, &json!({"name": "x"})).await.ok(201);
    assert!(!key["scopes"].to_string().contains("admin"), "{key}");
    let boss = server.post(USERS, &json!({"name": "boss", "role": "admin", "tier": "pro"})).await.ok(201);
    let key = server.post(&format!("{USERS}/{}/keys", id(&boss)), &json!({"name": "x", "role": "admin"})).await.ok(201);
    server.with_key(key["secret"].as_str().expect("a secret")).get(USERS).await.ok(200);
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let server = TestServer::builder().with_login().start().await;
    for number in 0..5 {
        server.post(USERS, &json!({"name": format!("user{number}")})).await.ok(201);
    }
    let first = server.get(&format!("{USERS}?limit=3")).await.ok(200);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = server.get(&format!("{USERS}?limit=100&cursor={cursor}")).await.ok(200);
    let names: Vec<_> = items(&first).iter().chain(items(&second)).filter_map(|user| user["name"].as_str()).collect();
    assert_eq!(names[..6], ["user4", "user3", "user2", "user1", "user0", "admin"]);
    assert!(second["next_cursor"].is_null());
}
