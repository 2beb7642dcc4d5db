//! What is to run and how, as a form.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use bytes::Bytes;
use poem::{Request, RequestBody};
use poem_openapi::{Multipart, types::Binary};
use wasmwiz_core::{
    Error,
    error::FieldError,
    execution::{Entrypoint, Input, Invocation, Number, RequestedLimits},
    files::{FileGlobs, InputFile},
};

use super::{Asked, Chosen, number::JsonNumber};
use crate::api::{
    App,
    error::Problem,
    form::{Form, Part, once},
    limits::Size,
};

/// The form, for the OpenAPI document.
#[derive(Multipart)]
#[expect(dead_code, reason = "describes the form; `read` reads it")]
pub(super) struct ExecuteFields {
    /// A module to run without storing it, binary or text format; instead of `module`.
    wasm: Option<Binary<Vec<u8>>>,
    /// A stored module: a name, `name@3`, `name@sha256:…` or an id; instead of `wasm`.
    module: Option<String>,
    /// Standard input.
    input: Option<Binary<Vec<u8>>>,
    /// An argument after the program's name; may be there several times.
    arg: Vec<String>,
    /// An environment variable, `KEY=VALUE`; may be there several times.
    env: Vec<String>,
    /// A file laid out before the start; its file name is its path below the guest's root. May be there several times.
    file: Vec<Binary<Vec<u8>>>,
    /// A pattern of files to return at the end; may be there several times.
    collect: Vec<String>,
    /// The exported function to call, in modules without `_start`.
    function: Option<String>,
    /// An argument of the function; may be there several times.
    param: Vec<String>,
    /// Wall-clock time, in milliseconds, below what the policy gives.
    timeout_ms: Option<u64>,
    /// Linear memories and tables together, in bytes, below what the policy gives.
    memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes, below what the policy gives.
    output_bytes: Option<u64>,
    /// Contents of all files together, in bytes, below what the policy gives.
    file_bytes: Option<u64>,
}

const FIELDS: &str = "wasm, module, input, arg, env, file, collect, function, param, timeout_ms, memory_bytes, \
                      output_bytes, file_bytes";

/// What was read so far.
#[derive(Default)]
struct Parts {
    wasm: Option<Bytes>,
    module: Option<String>,
    input: Option<Bytes>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    files: Vec<InputFile>,
    collect: Vec<String>,
    function: Option<String>,
    params: Vec<Number>,
    limits: RequestedLimits,
}

/// Read the form.
pub(super) async fn read(request: &Request, body: &mut RequestBody) -> Result<Asked, Problem> {
    let config = &App::of(request)?.config;
    let mut form = Form::open(request, body, Size::ModuleAndInput)?;
    let mut parts = Parts::default();
    // All but the module together may be as large as any other body.
    let mut left = config.max_body_bytes;
    while let Some(part) = form.next().await? {
        parts.take(part, config.max_module_bytes, &mut left).await?;
    }
    Ok(parts.finish()?)
}

impl Parts {
    async fn take(&mut self, part: Part, module_limit: u64, left: &mut u64) -> Result<(), Problem> {
        let name = part.name().to_owned();
        match name.as_str() {
            "wasm" => return once(&mut self.wasm, &name, filled(&name, part.bytes(module_limit).await?)?),
            "input" => {
                let bytes = part.bytes(*left).await?;
                *left -= bytes.len() as u64;
                return once(&mut self.input, &name, bytes);
            }
            "file" => {
                let path = part.file_name().unwrap_or_default().to_owned();
                let content = part.bytes(*left).await?;
                *left -= content.len() as u64;
                let file = InputFile::new(&path, content);
                self.files.push(file.map_err(|message| Error::invalid("file", format!("its file name: {message}")))?);
                return Ok(());
            }
            "module" | "arg" | "env" | "collect" | "function" | "param" | "timeout_ms" | "memory_bytes"
            | "output_bytes" | "file_bytes" => {}
            _ => return Err(part.unknown(FIELDS)),
        }
        let text = part.text().await?;
        *left = left.checked_sub(text.len() as u64).ok_or_else(|| too_large(*left))?;
        self.take_text(&name, text)
    }

    fn take_text(&mut self, name: &str, text: String) -> Result<(), Problem> {
        match name {
            "module" => once(&mut self.module, name, filled(name, text)?)?,
            "arg" => self.args.push(text),
            "env" => {
                let (key, value) = text.split_once('=').ok_or_else(|| Error::invalid(name, "must be KEY=VALUE"))?;
                self.env.insert(key.to_owned(), value.to_owned());
            }
            "collect" => self.collect.push(filled(name, text)?),
            "function" => once(&mut self.function, name, filled(name, text)?)?,
            "param" => {
                let number = JsonNumber::parse(&text).map_err(|message| Error::invalid(name, message))?;
                self.params.push(number.into());
            }
            "timeout_ms" => once(&mut self.limits.timeout_ms, name, number(name, &text)?)?,
            "memory_bytes" => once(&mut self.limits.memory_bytes, name, number(name, &text)?)?,
            "output_bytes" => once(&mut self.limits.output_bytes, name, number(name, &text)?)?,
            _ => once(&mut self.limits.file_bytes, name, number(name, &text)?)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Asked, Error> {
        let mut errors = Vec::new();
        let module = match (self.wasm, self.module) {
            (Some(wasm), None) => Chosen::Inline(wasm),
            (None, Some(reference)) => Chosen::Stored(reference),
            (one, _) => {
                let said = if one.is_some() {
                    "is there beside `module`; send one of them"
                } else {
                    "is missing; send `wasm` or `module`"
                };
                return Err(Error::Invalid(vec![FieldError::new("wasm", said)]));
            }
        };
        let collect_files = FileGlobs::new(&self.collect).unwrap_or_else(|(index, message)| {
            errors.push(FieldError::new(format!("collect[{index}]"), message));
            FileGlobs::default()
        });
        if self.function.is_none() && !self.params.is_empty() {
            errors.push(FieldError::new("param", "is there without `function`"));
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let params = self.params;
        let invocation = Invocation {
            input: self.input.map_or(Input::Empty, Input::Bytes),
            args: self.args,
            env: self.env,
            files: self.files,
            collect_files,
            entrypoint: self.function.map(|function| Entrypoint { function, params }),
            limits: self.limits,
        };
        Ok(Asked { module, invocation })
    }
}

fn filled<T: AsRef<[u8]>>(name: &str, value: T) -> Result<T, Error> {
    if value.as_ref().is_empty() { Err(Error::invalid(name, "is empty")) } else { Ok(value) }
}

fn number<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|_| Error::invalid(name, "must be a whole number"))
}

fn too_large(limit: u64) -> Error {
    Error::TooLarge { what: "what the form carries beside the module".into(), limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(fields: &[(&str, &str)]) -> Result<Asked, String> {
        let mut parts = Parts::default();
        for (name, text) in fields {
            parts.take_text(name, (*text).to_owned()).map_err(|problem| problem.detail)?;
        }
        parts.finish().map_err(|error| error.to_string())
    }

    #[test]
    fn fields_that_may_repeat_keep_their_order() {
        let fields = [("module", "m"), ("arg", "a"), ("arg", ""), ("env", "K=V=W"), ("function", "f"), ("param", "-1")];
        let asked = finish(&fields).ok().unwrap().invocation;
        assert_eq!(asked.args, ["a", ""]);
        assert_eq!(asked.env["K"], "V=W");
        assert_eq!(asked.entrypoint.unwrap().params, [Number::Integer(-1)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[], "wasm: is missing"),
            (&[("module", "")], "module: is empty"),
            (&[("module", "m"), ("module", "n")], "is there twice"),
            (&[("module", "m"), ("env", "novalue")], "KEY=VALUE"),
            (&[("module", "m"), ("timeout_ms", "")], "timeout_ms: must be a whole number"),
            (&[("module", "m"), ("param", "1")], "without `function`"),
            (&[("module", "m"), ("collect", "[")], "collect[0]"),
        ];
        for (fields, expected) in cases {
            let error = finish(fields).err().unwrap();
            assert!(error.contains(expected), "{fields:?}: {error}");
        }
    }
}
