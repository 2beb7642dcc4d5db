//! The OpenAPI document, made of what each endpoint's file says of itself.

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    ExtraHeader, LicenseObject, OpenApi, OpenApiService, Tags,
    registry::{MetaApi, MetaPath, Registry},
};

use super::{Home, execute, executions, health, keys, me, metrics, modules, users};

/// What the endpoints are grouped by.
#[derive(Tags)]
pub(crate) enum Group {
    /// Uploaded programs: store them, look at them, download and delete them.
    ///
    /// A module is referred to by its id, by `name` (its newest version), `name@3` or `name@sha256:<64 hex digits>`.
    /// A name means one of the caller's own modules, or else one of the samples that the server offers to everybody.
    #[oai(rename = "modules")]
    Modules,
    /// Run modules, each time in a fresh sandbox with hard limits, and look at what ran.
    ///
    /// An execution that ended badly is still HTTP 200, and its `status` says how it ended. Errors are for requests
    /// that were not served.
    #[oai(rename = "executions")]
    Executions,
    /// API keys, and who one is.
    #[oai(rename = "auth")]
    Auth,
    /// For people with the role `admin`.
    #[oai(rename = "admin")]
    Admin,
    /// For load balancers, orchestrators and monitoring. These ask for no credential and are not counted.
    #[oai(rename = "operations")]
    Operations,
}

const DESCRIPTION: &str = "\
WasmWiz runs other people's WebAssembly. A module is uploaded once and called as often as one likes; each call gets a \
fresh sandbox with hard limits and an honest answer about what happened.

Sizes are in bytes (`_bytes`), times in milliseconds (`_ms`), points in time RFC 3339 in UTC, ids UUIDs.

**Credentials.** `Authorization: Bearer <API key>` or `X-API-Key: <API key>`. A development server needs none.

**Request ids.** Every answer has an `X-Request-Id`: the caller's own, if it has 1 to 64 characters of `A-Za-z0-9._-`, \
else a new one. The server's log has it too.

**Errors** are RFC 9457 problems (`application/problem+json`) with a stable `code`. What belongs to somebody else \
answers 404.

**Rate limits.** Every answer to a counted request has `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` \
(seconds until the quota is whole again); 429 and 503 have `Retry-After` (seconds).

**Lists** take `limit` (1 to 100, default 20) and `cursor`, answer `{items, next_cursor}`, newest first.";

/// Every endpoint.
type Endpoints = (
    (modules::Upload, modules::List, modules::Get, modules::Content, modules::Delete, modules::Explain),
    (execute::Execute, execute::ExecuteModule, execute::Run, executions::Executions),
    (keys::Keys, me::Me, users::Users),
    (health::Health, metrics::Figures, Home),
);

/// Describe and serve every endpoint.
pub(crate) fn service() -> OpenApiService<Merged<Endpoints>, ()> {
    let endpoints = Merged((
        (modules::Upload, modules::List, modules::Get, modules::Content, modules::Delete, modules::Explain),
        (execute::Execute, execute::ExecuteModule, execute::Run, executions::Executions),
        (keys::Keys, me::Me, users::Users),
        (health::Health, metrics::Figures, Home),
    ));
    let header = |name: &str, text: &str| ExtraHeader::new(name).description(text);
    OpenApiService::new(endpoints, "WasmWiz", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(LicenseObject::new(env!("CARGO_PKG_LICENSE")))
        .server("/")
        .extra_response_header::<String, _>(header("X-Request-Id", "The id of the request."))
        .extra_response_header::<Option<u32>, _>(header("RateLimit-Limit", "Requests a minute, if they are counted."))
        .extra_response_header::<Option<u32>, _>(header("RateLimit-Remaining", "Requests left at this moment."))
        .extra_response_header::<Option<u64>, _>(header("RateLimit-Reset", "Seconds until the quota is whole again."))
}

/// The OpenAPI document as JSON. The same program gives the same text each time.
pub fn openapi_document() -> String {
    service().spec()
}

/// A path and what it takes.
#[derive(Debug)]
pub(crate) struct RouteInfo {
    /// The path as people know it: `/api/executions/{id}`.
    pub(crate) path: String,
    /// The path as the router names it: poem-openapi numbers the parameters, `/api/executions/:param0`.
    pub(crate) pattern: String,
    /// The methods it takes.
    pub(crate) methods: Vec<Method>,
}

impl RouteInfo {
    /// Describe a path.
    pub(crate) fn new(path: &str, methods: Vec<Method>) -> Self {
        let mut parameters = 0..;
        let part = |part: &str| match part.starts_with('{') {
            true => parameters.next().map(|number| format!(":param{number}")).unwrap_or_default(),
            false => part.to_owned(),
        };
        let pattern = path.split('/').map(part).collect::<Vec<_>>().join("/");
        Self { path: path.to_owned(), pattern, methods }
    }
}

/// Every path of the document.
pub(crate) fn routes() -> Vec<RouteInfo> {
    let paths = Merged::<Endpoints>::meta().into_iter().flat_map(|api| api.paths);
    let methods = |path: &MetaPath| path.operations.iter().map(|operation| operation.method.clone()).collect();
    paths.map(|path| RouteInfo::new(&path.path, methods(&path))).collect()
}

/// Take the white space out of a JSON text, keeping the order of everything.
pub(crate) fn compact(json: &str) -> String {
    let (mut text, mut in_string, mut escaped) = (String::with_capacity(json.len()), false, false);
    for c in json.chars() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        text.push(c);
    }
    text
}

/// Endpoints whose verbs on one path are brought together. poem-openapi writes a path once for each struct that has
/// it, and readers of JSON keep only the last of several equal keys.
pub(crate) struct Merged<T>(T);

impl<T: OpenApi> OpenApi for Merged<T> {
    fn meta() -> Vec<MetaApi> {
        let mut paths: Vec<MetaPath> = Vec::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            match paths.iter_mut().find(|known| known.path == path.path) {
                Some(known) => known.operations.extend(path.operations),
                None => paths.push(path),
            }
        }
        vec![MetaApi { paths }]
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_same_each_time_and_names_each_path_once() {
        let document = openapi_document();
        assert_eq!(document, openapi_document());
        assert_eq!(document.matches("\"/api/wasm/modules/{module}\": {").count(), 1);
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert!(value["paths"]["/api/wasm/modules/{module}"]["get"].is_object());
        assert!(value["paths"]["/api/wasm/modules/{module}"]["delete"].is_object());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&compact(&document)).unwrap(), value);
    }

    #[test]
    fn every_operation_has_an_id_a_summary_a_group_and_described_parameters() {
        let value: serde_json::Value = serde_json::from_str(&openapi_document()).unwrap();
        for (path, verbs) in value["paths"].as_object().unwrap() {
            for (verb, operation) in verbs.as_object().unwrap() {
                for key in ["operationId", "summary", "tags"] {
                    assert!(!operation[key].is_null(), "{verb} {path} has no {key}");
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].is_string(), "{verb} {path}: {}", parameter["name"]);
                }
            }
        }
        for (name, schema) in value["components"]["schemas"].as_object().unwrap() {
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                let described = property.to_string().contains("\"description\"") || property["$ref"].is_string();
                assert!(described, "{name}.{field} is not described");
            }
        }
    }

    #[test]
    fn parameters_are_numbered_as_the_router_has_them() {
        assert_eq!(RouteInfo::new("/a/{id}/b/{name}", Vec::new()).pattern, "/a/:param0/b/:param1");
    }

    #[test]
    fn compacting_keeps_what_is_in_strings() {
        assert_eq!(compact("{ \"a b\" : \"\\\" \\\\\" , \"c\" : 1 }"), "{\"a b\":\"\\\" \\\\\",\"c\":1}");
    }
}
