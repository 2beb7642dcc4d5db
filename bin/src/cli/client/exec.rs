//! `wasmwiz exec`.

use std::{
    io::{self, IsTerminal, Read, Write},
    process::ExitCode,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmwiz_core::{
    execution::{Number, Verdict},
    files::InputFile,
    module::ModuleRef,
};

use super::{Client, Connection, with_server};
use crate::cli::{
    Ending, Failure,
    invocation::InvocationArgs,
    output,
    verdict::{self, NOT_RUN, Place},
};

/// The largest standard input that is sent. The server's own limit is lower; this one spares reading without end.
const MAX_INPUT: u64 = 256 << 20;

/// Run a module that a server has. Standard input is sent whole, and output arrives at the end.
///
/// Limits can be lower than those of your tier, never higher. Input from a terminal is not read.
#[derive(Debug, Args)]
#[command(after_help = verdict::EXIT_CODES)]
pub(in crate::cli) struct Exec {
    /// The module: name (its newest version), name@3, name@sha256:HASH or id.
    module: ModuleRef,
    #[command(flatten)]
    invocation: InvocationArgs,
    #[command(flatten)]
    connection: Connection,
}

/// What of the answer is needed here.
#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    verdict: Verdict,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stdout_encoding: Encoding,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    stderr_encoding: Encoding,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    results: Vec<Value>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
}

impl Exec {
    pub(in crate::cli) fn run(self) -> Ending {
        let ending = with_server(&self.connection, async |client| self.send(client).await);
        ending.map_err(|failure| failure.with_code(NOT_RUN))
    }

    async fn send(&self, client: &Client) -> Ending {
        let path = format!("/wasm/modules/{}/execute", self.module);
        let body = self.body(read_input()?)?;
        let execution: Value = client.post(&path, &body).await?;
        let answer: Answer = Answer::deserialize(&execution)
            .map_err(|error| Failure::new(format!("the answer is not what a WasmWiz server sends: {error}")))?;
        if self.invocation.json {
            output::json(&execution)?;
        } else {
            answer.show()?;
        }
        let files = answer.files.iter().map(|file| Ok((file.path.as_str(), file.encoding.decode(&file.content)?)));
        let files = files.collect::<Result<Vec<_>, Failure>>()?;
        self.invocation.write_files(files.iter().map(|(path, content)| (*path, content.as_slice())))?;
        Ok(ExitCode::from(verdict::exit_code(&answer.verdict)))
    }

    /// The invocation as the API takes it, with only what was asked for.
    fn body(&self, input: Vec<u8>) -> Result<Value, Failure> {
        let options = &self.invocation;
        let mut body = Map::new();
        if !input.is_empty() {
            let (text, encoding) = encode(&input);
            body.insert(if encoding == "utf8" { "input" } else { "input_base64" }.into(), text.into());
        }
        let files: Vec<Value> = options.read_files()?.iter().map(file).collect();
        let entrypoint = options.entrypoint()?.map(|entrypoint| {
            let params = entrypoint.params.iter().map(number).collect::<Result<Vec<_>, _>>();
            params.map(|params| json!({ "function": entrypoint.function, "params": params }))
        });
        let limits: Map<_, _> = options.limits().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let given = [
            ("args", json!(options.args())),
            ("env", json!(options.env())),
            ("files", json!(files)),
            ("collect_files", json!(options.patterns())),
            ("entrypoint", entrypoint.transpose()?.unwrap_or_default()),
            ("limits", limits.into()),
        ];
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        body.extend(given.into_iter().filter(|(_, value)| !empty(value)).map(|(key, value)| (key.to_owned(), value)));
        Ok(body.into())
    }
}

impl Answer {
    fn show(&self) -> Result<(), Failure> {
        output::bytes(&self.stdout_encoding.decode(&self.stdout)?)?;
        for result in &self.results {
            output::line(&result_text(result))?;
        }
        let _ = io::stderr().lock().write_all(&self.stderr_encoding.decode(&self.stderr)?);
        if let Some(sentence) = verdict::sentence(&self.verdict, Place::Server) {
            output::complain(&sentence);
        }
        Ok(())
    }
}

impl Encoding {
    fn decode(self, text: &str) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Base64 => {
                BASE64.decode(text).map_err(|error| Failure::new(format!("the answer is garbled: {error}")))
            }
        }
    }
}

fn encode(bytes: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "utf8"),
        Err(_) => (BASE64.encode(bytes), "base64"),
    }
}

fn file(file: &InputFile) -> Value {
    match &file.content {
        Some(content) => {
            let (content, encoding) = encode(content);
            json!({ "path": file.path, "content": content, "encoding": encoding })
        }
        None => json!({ "path": format!("{}/", file.path) }),
    }
}

fn number(number: &Number) -> Result<Value, Failure> {
    let value = match *number {
        Number::Integer(whole) => {
            i64::try_from(whole).map(Value::from).or_else(|_| u64::try_from(whole).map(Value::from)).ok()
        }
        Number::Float(float) => serde_json::Number::from_f64(float).map(Value::from),
    };
    value.ok_or_else(|| Failure::new("--invoke: a number is too large for 64 bits, or not one that JSON can write"))
}

fn result_text(result: &Value) -> String {
    // A result may be written with its type beside it.
    let value = result.get("value").unwrap_or(result);
    crate::cli::text::clean(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin().lock();
    let mut input = Vec::new();
    if !io::stdin().is_terminal() {
        let read = stdin.take(MAX_INPUT + 1).read_to_end(&mut input);
        read.map_err(|error| Failure::io("cannot read standard input", &error))?;
    }
    if input.len() as u64 > MAX_INPUT {
        return Err(Failure::new(format!("standard input has more than {MAX_INPUT} bytes")));
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        exec: Exec,
    }

    fn body(line: &str, input: &[u8]) -> Value {
        let line = Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}"));
        line.exec.body(input.to_vec()).unwrap_or_else(|failure| panic!("{}", failure.message()))
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        assert_eq!(body("exec hello", b""), json!({}));
        assert_eq!(
            body("exec hello --env A=b --timeout-ms 100 -- -x", b"hi"),
            json!({"input": "hi", "args": ["-x"], "env": {"A": "b"}, "limits": {"timeout_ms": 100}})
        );
        assert_eq!(
            body("exec add --invoke add 2 -3 2.5", b""),
            json!({"entrypoint": {"function": "add", "params": [2, -3, 2.5]}})
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_sent_and_shown_as_they_are() {
        assert_eq!(body("exec cat", b"\xff\x00"), json!({"input_base64": "/wA="}));
        assert_eq!(Encoding::Base64.decode("/wA=").unwrap(), b"\xff\x00");
        assert!(Encoding::Base64.decode("!").is_err());
    }

    #[test]
    fn a_number_that_json_cannot_write_is_refused() {
        assert_eq!(number(&Number::Integer(u64::MAX.into())).unwrap(), json!(u64::MAX));
        assert!(number(&Number::Integer(1 << 70)).is_err());
        assert!(number(&Number::Float(f64::NAN)).is_err());
    }

    #[test]
    fn an_answer_is_read_with_its_verdict() {
        let answer: Answer = serde_json::from_value(json!({
            "id": "x", "status": "timed_out", "exit_code": null, "stdout": "/wA=", "stdout_encoding": "base64",
            "stderr": "", "stderr_encoding": "utf8", "files": [], "results": [{"type": "i32", "value": 5}],
            "termination": {"limit": "timeout_ms", "configured": 5000, "observed": 5001, "source": "tier", "how_to_raise": "x"},
        }))
        .unwrap();
        assert_eq!(verdict::exit_code(&answer.verdict), 124);
        assert_eq!(result_text(&answer.results[0]), "5");
    }
}
