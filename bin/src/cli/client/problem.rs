//! Problems (RFC 9457) as sentences.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::cli::text::clean;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    request_id: String,
    errors: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    location: String,
    message: String,
}

/// Say what a server's refusal says.
pub(super) fn sentence(status: StatusCode, body: &[u8]) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let said = [problem.detail, problem.title].into_iter().find(|text| !text.is_empty());
    let mut sentence = match said {
        Some(said) => clean(&said),
        None => format!("the server answered {status}, and nothing that a WasmWiz server says"),
    };
    for Wrong { location, message } in &problem.errors {
        // With one thing wrong the detail often says it already.
        if !sentence.contains(message.as_str()) {
            sentence.push_str(&format!("\n  {}: {}", clean(location), clean(message)));
        }
    }
    if !problem.request_id.is_empty() {
        sentence.push_str(&format!("\n  (HTTP {}, request id {})", status.as_u16(), clean(&problem.request_id)));
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_sentences() {
        let body = br#"{"type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "the input is not valid",
            "code": "invalid_input", "request_id": "r1",
            "errors": [{"location": "limits.timeout_ms", "message": "at most 5000"}]}"#;
        assert_eq!(
            sentence(StatusCode::UNPROCESSABLE_ENTITY, body),
            "the input is not valid\n  limits.timeout_ms: at most 5000\n  (HTTP 422, request id r1)"
        );
    }

    #[test]
    fn an_answer_of_something_else_is_told_as_such() {
        let text = sentence(StatusCode::BAD_GATEWAY, b"<html>nginx</html>");
        assert_eq!(text, "the server answered 502 Bad Gateway, and nothing that a WasmWiz server says");
    }

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        assert_eq!(sentence(StatusCode::NOT_FOUND, b"{\"detail\": \"\\u001b[2J\"}"), "\\u{1b}[2J");
    }
}
