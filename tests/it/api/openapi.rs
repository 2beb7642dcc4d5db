//! `/openapi.json` and `/docs`: what the API says of itself is true.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::TestServer;

const PATHS: [(&str, &[&str]); 17] = [
    ("/api/admin/users", &["get", "post"]),
    ("/api/admin/users/{id}/keys", &["post"]),
    ("/api/auth/keys", &["get", "post"]),
    ("/api/auth/keys/{id}", &["delete"]),
    ("/api/auth/me", &["get"]),
    ("/api/executions", &["get"]),
    ("/api/executions/{id}", &["get"]),
    ("/api/wasm/execute", &["post"]),
    ("/api/wasm/modules", &["get"]),
    ("/api/wasm/modules/{module}", &["delete", "get"]),
    ("/api/wasm/modules/{module}/content", &["get"]),
    ("/api/wasm/modules/{module}/execute", &["post"]),
    ("/api/wasm/modules/{module}/explain", &["get"]),
    ("/api/wasm/modules/{module}/run", &["post"]),
    ("/api/wasm/upload", &["post"]),
    ("/health", &["get"]),
    ("/health/ready", &["get"]),
];

async fn document(server: &TestServer) -> Value {
    let answer = server.anonymous().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    answer.ok(200)
}

/// Every object in a document, with the path to it.
fn walk(value: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, value);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), visit)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{path}/{at}"), visit))
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_openapi_3_and_lists_every_path_with_its_verbs() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, verbs) in PATHS {
        let mut found: Vec<_> =
            document["paths"][path].as_object().unwrap_or_else(|| panic!("{path} is not there")).keys().collect();
        found.sort_unstable();
        assert_eq!(found, verbs, "{path}");
    }
}

#[tokio::test]
async fn the_document_refers_to_nothing_that_is_not_in_it() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    let (mut references, mut ids) = (0, BTreeSet::new());
    walk(&document, "", &mut |path, value| {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{path}: {reference}"));
            assert!(document.pointer(pointer).is_some(), "{path}: {reference}");
            references += 1;
        }
        if let Some(id) = value["operationId"].as_str() {
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    });
    assert!(references > 20 && ids.len() >= 19, "{references} references, {} operations", ids.len());
    let schemes = document["components"]["securitySchemes"].as_object().expect("security schemes");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (verb, operation) in operations.as_object().expect("operations") {
            let named: BTreeSet<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let declared = parameters.iter().filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(named, declared, "{verb} {path}");
            assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{verb} {path}");
            let secured = operation["security"].as_array().is_some_and(|security| !security.is_empty());
            assert_eq!(secured, path.starts_with("/api/"), "{verb} {path}");
            for name in operation["security"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .flat_map(|s| s.keys())
            {
                assert!(schemes.contains_key(name), "{verb} {path}: {name}");
            }
        }
    }
}

/// Say where `value` is not what `schema` describes: the part of JSON Schema that OpenAPI 3.0 documents use.
fn mismatches(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).expect("references were checked");
        return mismatches(document, target, value, at, wrong);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        mismatches(document, part, value, at, wrong);
    }
    for key in ["oneOf", "anyOf"] {
        let fits = |part: &Value| {
            let mut wrong = Vec::new();
            mismatches(document, part, value, at, &mut wrong);
            wrong.is_empty()
        };
        if schema[key].as_array().is_some_and(|parts| !parts.iter().any(fits)) {
            wrong.push(format!("{at}: {value} fits no part of {key}"));
        }
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        wrong.push(format!("{at}: {value} is not among {}", schema["enum"]));
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    if !fits {
        wrong.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        mismatches(document, &schema["items"], item, &format!("{at}[]"), wrong);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in &required {
        if value.get(name).is_none() {
            wrong.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match properties.get(name) {
            // What may be left out may be null as well: OpenAPI 3.0 has no better way here.
            Some(_) if value.is_null() && !required.contains(&name.as_str()) => {}
            Some(schema) => mismatches(document, schema, value, &format!("{at}.{name}"), wrong),
            None => wrong.push(format!("{at}.{name} is not described")),
        }
    }
}

#[tokio::test]
async fn what_is_answered_is_what_the_document_describes() {
    let server = TestServer::builder().with_login().start().await;
    let document = document(&server).await;
    let uploaded = server.upload("greeter", crate::support::guest("samples/hello")).await;
    server.upload_guest("hostile/trap_unreachable").await;
    server.upload_guest("hostile/output_flood").await;
    server.upload_guest("features/exports_all_types").await;
    let run = async |body: Value| server.post("/api/wasm/execute", &body).await;
    let calls = json!({"module": "exports_all_types", "entrypoint": {"function": "all", "params": [1, 2, 0.5, "NaN"]}});
    let answers = [
        ("post", "/api/wasm/upload", uploaded),
        ("get", "/api/wasm/modules", server.get("/api/wasm/modules").await),
        ("get", "/api/wasm/modules/{module}", server.get("/api/wasm/modules/greeter").await),
        ("get", "/api/wasm/modules/{module}/explain", server.get("/api/wasm/modules/greeter/explain").await),
        ("post", "/api/wasm/execute", run(json!({"module": "greeter"})).await),
        ("post", "/api/wasm/execute", run(json!({"module": "trap_unreachable"})).await),
        ("post", "/api/wasm/execute", run(json!({"module": "output_flood"})).await),
        ("post", "/api/wasm/execute", run(calls).await),
        ("get", "/api/executions", server.get("/api/executions").await),
        ("post", "/api/auth/keys", server.post("/api/auth/keys", &json!({"name": "x"})).await),
        ("get", "/api/auth/keys", server.get("/api/auth/keys").await),
        ("get", "/api/auth/me", server.get("/api/auth/me").await),
        ("post", "/api/admin/users", server.post("/api/admin/users", &json!({"name": "x"})).await),
        ("get", "/api/admin/users", server.get("/api/admin/users").await),
        ("get", "/health", server.get("/health").await),
        ("get", "/health/ready", server.get("/health/ready").await),
        ("post", "/api/wasm/execute", run(json!({})).await),
        ("get", "/api/executions/{id}", server.get("/api/executions/x").await),
        ("get", "/api/auth/me", server.anonymous().get("/api/auth/me").await),
    ];
    let mut wrong = Vec::new();
    for (verb, path, answer) in answers {
        let response = &document["paths"][path][verb]["responses"][answer.status.as_str()];
        let content_type = answer.header("content-type");
        let content = response["content"].as_object();
        let schema = content.and_then(|content| content.iter().find(|(name, _)| name.starts_with(content_type)));
        match schema {
            Some((_, content)) => {
                mismatches(&document, &content["schema"], &answer.json(), &format!("{verb} {path}"), &mut wrong);
            }
            None => wrong.push(format!("{verb} {path}: {} {content_type} is not described", answer.status)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_documentation_page_needs_nothing_from_anywhere_else() {
    let server = TestServer::builder().with_login().start().await;
    let answer = server.anonymous().get("/docs").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let page = answer.text();
    assert!(page.contains("/openapi.json") || page.contains("\"openapi\""), "it shows the document");
    for tag in
        page.split('<').filter(|tag| ["script", "link", "img", "iframe"].iter().any(|name| tag.starts_with(name)))
    {
        let tag = tag.split('>').next().unwrap_or_default();
        for attribute in ["src=\"", "href=\"", "src='", "href='"] {
            let Some((_, target)) = tag.split_once(attribute) else { continue };
            let local = target.starts_with('/') && !target.starts_with("//") || target.starts_with("data:");
            assert!(local, "{}", &tag[..tag.len().min(200)]);
        }
    }
}
