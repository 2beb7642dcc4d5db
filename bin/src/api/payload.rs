//! JSON bodies, read and written with serde.
//!
//! poem-openapi's own `Json` builds a tree of every value first: a body of 16 MiB can become hundreds of MiB. Here
//! serde reads straight into the type and refuses unknown fields by name; poem-openapi only describes the type.

use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::{Serialize, de::DeserializeOwned};
use wasmwiz_core::{Error, error::FieldError};

use super::{
    error::Problem,
    limits::{Incoming, Size},
};

const MEDIA_TYPE: &str = "application/json";

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = MEDIA_TYPE;
    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }
    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }
    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Whether a Content-Type says JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(MEDIA_TYPE) || essence.to_ascii_lowercase().ends_with("+json")
}

/// Read the body of a request as JSON. No body at all is `{}`.
pub(crate) async fn read_json<T: DeserializeOwned>(request: &Request, body: &mut RequestBody) -> Result<T, Problem> {
    let incoming = Incoming::buffered(request, body, Size::Input)?;
    let content_type = request.content_type();
    if incoming.declared() == Some(0) && content_type.is_none() {
        return parse_json(b"{}");
    }
    if !content_type.is_some_and(is_json) {
        return Err(Problem::media_type(content_type, MEDIA_TYPE));
    }
    parse_json(&incoming.bytes().await?)
}

/// Read JSON: text that is none is 400, JSON that says something else than it should is 422.
fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // Every body is an object. Serde would take a list as well, for the values of the fields in their order.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(Error::invalid("body", "is a list; it must be an object").into());
    }
    serde_json::from_slice(text).map_err(|error| {
        let place = format!("body, line {} column {}", error.line(), error.column());
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned();
        match error.classify() {
            serde_json::error::Category::Data => Error::Invalid(vec![FieldError::new(place, message)]).into(),
            _ => Problem::malformed("malformed_json", &place, format!("the body is no JSON: {message}")),
        }
    })
}

impl<'a, T: DeserializeOwned + Type> ApiExtractor<'a> for Json<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(read_json(request, body).await?))
    }
}

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::builder().content_type(MEDIA_TYPE).body(body),
            Err(error) => Problem::internal(format!("the answer cannot be written as JSON: {error}")).into_response(),
        }
    }
}

impl<T: Serialize + Type> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: T::schema_ref() }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Small {
        name: String,
    }

    fn refused(text: &str) -> (u16, String) {
        let problem = parse_json::<Small>(text.as_bytes()).unwrap_err();
        (problem.status.as_u16(), format!("{}: {}", problem.errors[0].location, problem.errors[0].message))
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let (status, text) = refused(r#"{"nmae": "x"}"#);
        assert_eq!(status, 422);
        assert_eq!(text, "body, line 1 column 7: unknown field `nmae`, expected `name`");
    }

    #[test]
    fn a_list_is_no_object_with_its_names_left_out() {
        assert_eq!(refused(" [\"x\"]"), (422, "body: is a list; it must be an object".into()));
    }

    #[test]
    fn text_that_is_no_json_is_malformed() {
        for text in ["", "{", "{\"name\": \"x\"} y", "\u{0}"] {
            assert_eq!(refused(text).0, 400, "{text}");
        }
    }

    #[test]
    fn content_types_of_json_are_recognised() {
        assert!(
            is_json("application/json; charset=utf-8") && is_json("Application/JSON") && is_json("application/x+json")
        );
        assert!(!is_json("text/json") && !is_json("application/jsonl"));
    }
}
