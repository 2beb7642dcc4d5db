//! `GET /api/wasm/modules`

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Client, TestServer, items};

const MODULES: &str = "/api/wasm/modules";

fn tiny(number: usize) -> Vec<u8> {
    format!("(module (func (export \"f\") (result i32) (i32.const {number})))").into_bytes()
}

/// Every name of a list, page by page.
async fn names(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut names, mut path) = (Vec::new(), format!("{MODULES}?limit={limit}{query}"));
    loop {
        let page = client.get(&path).await.ok(200);
        assert!(items(&page).len() <= limit);
        names.extend(items(&page).iter().map(|module| module["name"].as_str().expect("a name").to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { return names };
        path = format!("{MODULES}?limit={limit}{query}&cursor={cursor}");
    }
}

#[tokio::test]
async fn pages_of_any_size_have_each_module_once_while_others_are_added() {
    let server = TestServer::start().await;
    for start in (0..250).step_by(10) {
        let uploads =
            (start..start + 10).map(async |number| server.upload(&format!("m{number}"), tiny(number)).await.ok(201));
        futures::future::join_all(uploads).await;
    }
    let expected: BTreeSet<_> = (0..250).map(|number| format!("m{number}")).collect();
    for limit in [7, 83, 100] {
        let adding = async {
            for number in 0..20 {
                server.upload(&format!("later{limit}-{number}"), tiny(1000 * limit + number)).await.ok(201);
            }
        };
        let (found, ()) = tokio::join!(names(&server, "", limit), adding);
        let old: Vec<_> = found.iter().filter(|name| name.starts_with('m')).collect();
        assert_eq!(old.len(), 250, "pages of {limit}");
        assert_eq!(old.into_iter().cloned().collect::<BTreeSet<_>>(), expected, "pages of {limit}");
    }
    let one = server.get(&format!("{MODULES}?limit=1")).await.ok(200);
    assert_eq!(items(&one).len(), 1);
    assert_eq!(items(&server.get(MODULES).await.ok(200)).len(), 20, "20 unless asked otherwise");
}

#[tokio::test]
async fn a_bad_limit_or_cursor_is_refused() {
    let server = TestServer::start().await;
    for list in [MODULES, "/api/executions", "/api/auth/keys", "/api/admin/users"] {
        for limit in ["0", "101", "-1", "abc", "1.5", "99999999999999999999", ""] {
            server.get(&format!("{list}?limit={limit}")).await.blames(422, "invalid_input", "limit", "1 to 100");
        }
        for cursor in ["", "x", "!!", "AAAA", "%00", &"A".repeat(5000)] {
            server.get(&format!("{list}?cursor={cursor}")).await.blames(422, "invalid_input", "cursor", "next_cursor");
        }
    }
    server.get(&format!("{MODULES}?visibility=secret")).await.problem(422, "invalid_input");
}

#[tokio::test]
async fn ones_own_modules_are_listed_newest_first_with_every_version() {
    let server = TestServer::start().await;
    server.upload("a", tiny(1)).await.ok(201);
    server.upload("b", tiny(2)).await.ok(201);
    server.upload("a", tiny(3)).await.ok(201);
    let page = server.get(MODULES).await.ok(200);
    let found: Vec<_> = items(&page).iter().map(|module| (module["name"].clone(), module["version"].clone())).collect();
    assert_eq!(found, [(json!("a"), json!(2)), (json!("b"), json!(1)), (json!("a"), json!(1))]);
    assert!(page["next_cursor"].is_null());
    assert_eq!(names(&server, "&name=a", 1).await, ["a", "a"]);
    assert!(names(&server, "&name=%27%20OR%201=1", 10).await.is_empty());
    assert!(names(&server, "&name=A", 10).await.is_empty(), "names are compared exactly");
}

#[tokio::test]
async fn public_modules_are_everybodys_to_see_and_private_ones_are_not() {
    let server = TestServer::builder().with_login().with("[server]\nsamples = false").start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    ada.upload_with("open", tiny(1), &[("visibility", "public")]).await.ok(201);
    ada.upload_with("closed", tiny(2), &[]).await.ok(201);
    bob.upload_with("his", tiny(3), &[("visibility", "public")]).await.ok(201);
    assert_eq!(names(&ada, "", 10).await, ["closed", "open"]);
    assert_eq!(names(&ada, "&visibility=private", 10).await, ["closed"]);
    assert_eq!(names(&ada, "&visibility=public", 10).await, ["his", "open"]);
    assert_eq!(names(&bob, "&visibility=public", 1).await, ["his", "open"]);
    assert!(names(&bob, "&visibility=private", 10).await.is_empty());
    let page = bob.get(&format!("{MODULES}?visibility=public&name=open")).await.ok(200);
    assert_eq!(items(&page)[0]["owner"], "other");
    assert!(!page.to_string().contains("ada"), "whose it is is not told: {page}");
}

#[tokio::test]
async fn a_development_server_has_samples_that_run_by_name() {
    let server = TestServer::start().await;
    let found = names(&server, "&visibility=public", 100).await.into_iter().collect::<BTreeSet<_>>();
    let expected = ["echo", "fibonacci", "hello", "mandelbrot", "textcase", "wordcount"].map(str::to_owned);
    assert_eq!(found, expected.into());
    assert!(names(&server, "", 100).await.is_empty(), "they are not one's own");
    let hello = server.get(&format!("{MODULES}/hello")).await.ok(200);
    assert_eq!((&hello["owner"], &hello["visibility"]), (&json!("samples"), &json!("public")));
    assert!(hello["description"].as_str().is_some_and(|text| text.starts_with("Greets")), "{hello}");
    assert_eq!(server.execute("hello", json!({"args": ["Ada"]})).await["stdout"], "Hello, Ada!\n");
    server.upload("hello", tiny(1)).await.ok(201);
    assert_eq!(server.get(&format!("{MODULES}/hello")).await.ok(200)["owner"], "you", "one's own comes first");
}
