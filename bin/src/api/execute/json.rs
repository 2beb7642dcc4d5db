//! What is to run and how, in JSON.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use poem_openapi::{Enum, Object, registry::MetaSchema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use wasmwiz_core::{
    Error, Result,
    error::FieldError,
    execution::{Entrypoint, Input, Invocation, RequestedLimits},
    files::{FileGlobs, InputFile, MAX_PATTERNS},
};

use super::number::{JsonNumber, described};

/// The most arguments, and the most variables; together they have at most `server.max_args_bytes`.
const MAX_ARGS: usize = 65_536;
/// The most files; each costs memory beside what it holds.
const MAX_FILES: usize = 65_536;
/// The most parameters of a function (WebAssembly JavaScript Interface, section "Implementation-defined limits").
const MAX_PARAMS: usize = 1000;

/// The most errors that are listed at once.
const MAX_ERRORS: usize = 20;

/// Make a request of the fields that every invocation has, and some before them.
macro_rules! invocation_request {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, Object)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_about])* $field: $type,)*
            /// Standard input, as text.
            input: Option<String>,
            /// Standard input, as base64; instead of `input`.
            input_base64: Option<Base64Bytes>,
            /// Arguments after the program's name.
            #[serde(default, deserialize_with = "at_most::<_, _, MAX_ARGS>")]
            args: Option<Vec<String>>,
            /// Environment variables; the guest sees no others.
            #[serde(default, deserialize_with = "variables")]
            env: Option<BTreeMap<String, String>>,
            /// Files laid out before the start, under the guest's root `/`, which is also its working directory.
            #[serde(default, deserialize_with = "at_most::<_, _, MAX_FILES>")]
            files: Option<Vec<FileContent>>,
            /// Patterns of files to return at the end: `*` and `?` stay within a directory, `**` does not. At most 64.
            #[serde(default, deserialize_with = "at_most::<_, _, MAX_PATTERNS>")]
            collect_files: Option<Vec<String>>,
            /// The exported function to call, in modules without `_start`.
            entrypoint: Option<EntrypointRequest>,
            /// Limits below those the policy gives; asking for more is 422 and names the ceiling.
            limits: Option<LimitsRequest>,
        }
    };
}

invocation_request! {
    /// A stored module to be run, and how.
    ExecuteRequest {
        /// The module: a name, `name@3`, `name@sha256:…` or an id.
        module: String,
    }
}

invocation_request! {
    /// How a module is to be run. All may be left out.
    InvocationRequest {}
}

/// How a file's content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// As text.
    Utf8,
    /// As base64 (RFC 4648 section 4).
    Base64,
}

/// A file, and what is in it.
#[derive(Debug, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(rename = "File")]
pub(crate) struct FileContent {
    /// Its path below the guest's root. In a request, one that ends in `/` makes a directory.
    pub(super) path: String,
    /// What is in it.
    #[serde(default)]
    pub(super) content: String,
    /// How the content is written.
    #[serde(default = "utf8")]
    #[oai(default = "utf8")]
    pub(super) encoding: Encoding,
}

fn utf8() -> Encoding {
    Encoding::Utf8
}

/// An exported function, to be called instead of `_start`.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(rename = "Entrypoint")]
pub(super) struct EntrypointRequest {
    /// The export's name.
    function: String,
    /// Its arguments. Those that JSON's numbers cannot say are written as text: `"NaN"`, `"Infinity"`, `"-Infinity"`, and
    /// 64-bit integers such as `"9223372036854775807"`.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_PARAMS>")]
    params: Option<Vec<JsonNumber>>,
}

/// Limits below those the policy gives.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsRequest {
    /// Wall-clock time, in milliseconds.
    timeout_ms: Option<u64>,
    /// Linear memories and tables together, in bytes.
    memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes.
    output_bytes: Option<u64>,
    /// Contents of all files together, in bytes.
    file_bytes: Option<u64>,
}

impl ExecuteRequest {
    /// Take the module apart from the rest.
    pub(super) fn split(self) -> (String, InvocationRequest) {
        let Self { module, input, input_base64, args, env, files, collect_files, entrypoint, limits } = self;
        (module, InvocationRequest { input, input_base64, args, env, files, collect_files, entrypoint, limits })
    }
}

impl InvocationRequest {
    /// Check what the types cannot say.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(super) fn check(self) -> Result<Invocation> {
        let mut errors = Vec::new();
        if self.input.is_some() && self.input_base64.is_some() {
            errors.push(FieldError::new("input", "is there beside `input_base64`; send one of them"));
        }
        let input = match (self.input, self.input_base64) {
            (Some(text), _) => Input::Bytes(text.into()),
            (None, Some(base64)) => Input::Bytes(base64.0),
            (None, None) => Input::Empty,
        };
        let mut files = Vec::new();
        for (index, file) in self.files.unwrap_or_default().into_iter().enumerate() {
            match file.decode() {
                Ok(file) => files.push(file),
                Err((field, message)) => errors.push(FieldError::new(format!("files[{index}].{field}"), message)),
            }
            if errors.len() >= MAX_ERRORS {
                break;
            }
        }
        let collect_files = FileGlobs::new(&self.collect_files.unwrap_or_default());
        let collect_files = collect_files.unwrap_or_else(|(index, message)| {
            errors.push(FieldError::new(format!("collect_files[{index}]"), message));
            FileGlobs::default()
        });
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(Invocation {
            input,
            args: self.args.unwrap_or_default(),
            env: self.env.unwrap_or_default(),
            files,
            collect_files,
            entrypoint: self.entrypoint.map(Into::into),
            limits: self.limits.unwrap_or_default().into(),
        })
    }
}

impl FileContent {
    /// Write what a guest left.
    pub(super) fn encode(path: &str, content: &[u8]) -> Self {
        let (content, encoding) = encode(content);
        Self { path: path.to_owned(), content, encoding }
    }

    fn decode(self) -> std::result::Result<InputFile, (&'static str, String)> {
        let content = match self.encoding {
            Encoding::Utf8 => self.content.into(),
            Encoding::Base64 => {
                let decoded = STANDARD.decode(&self.content);
                decoded.map_err(|error| ("content", format!("is no base64: {error}")))?.into()
            }
        };
        InputFile::new(&self.path, content).map_err(|message| ("path", message))
    }
}

/// Write bytes as text if they are UTF-8, else as base64.
pub(super) fn encode(bytes: &[u8]) -> (String, Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), Encoding::Utf8),
        Err(_) => (STANDARD.encode(bytes), Encoding::Base64),
    }
}

impl From<EntrypointRequest> for Entrypoint {
    fn from(asked: EntrypointRequest) -> Self {
        Self {
            function: asked.function,
            params: asked.params.unwrap_or_default().into_iter().map(Into::into).collect(),
        }
    }
}

impl From<LimitsRequest> for RequestedLimits {
    fn from(asked: LimitsRequest) -> Self {
        Self {
            timeout_ms: asked.timeout_ms,
            memory_bytes: asked.memory_bytes,
            output_bytes: asked.output_bytes,
            file_bytes: asked.file_bytes,
        }
    }
}

/// Read a list, and stop at the item that is too many.
fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    deserializer: D,
) -> std::result::Result<Option<Vec<T>>, D::Error> {
    struct List<T, const MOST: usize>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
        type Value = Option<Vec<T>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MOST} items")
        }
        fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() == MOST {
                    return Err(de::Error::invalid_length(MOST + 1, &self));
                }
                list.push(item);
            }
            Ok(Some(list))
        }
    }
    deserializer.deserialize_any(List::<T, MOST>(std::marker::PhantomData))
}

/// Read environment variables, and stop at the one that is too many.
fn variables<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<BTreeMap<String, String>>, D::Error> {
    struct Variables;

    impl<'de> Visitor<'de> for Variables {
        type Value = Option<BTreeMap<String, String>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "an object of at most {MAX_ARGS} texts")
        }
        fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Self::Value, A::Error> {
            let mut variables = BTreeMap::new();
            while let Some((name, value)) = entries.next_entry()? {
                if variables.len() == MAX_ARGS {
                    return Err(de::Error::invalid_length(MAX_ARGS + 1, &self));
                }
                variables.insert(name, value);
            }
            Ok(Some(variables))
        }
    }
    deserializer.deserialize_any(Variables)
}

/// Bytes, written as base64 (RFC 4648 section 4).
#[derive(Clone, Debug)]
pub(super) struct Base64Bytes(Bytes);

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Base64Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64 text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Base64Bytes, E> {
                let decoded = STANDARD
                    .decode(text)
                    .map_err(|error| E::custom(format!("`input_base64` is no base64: {error}")))?;
                Ok(Base64Bytes(decoded.into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

described!(Base64Bytes, "base64", MetaSchema::new_with_format("string", "byte"));

#[cfg(test)]
mod tests {
    use wasmwiz_core::execution::Number;

    use super::*;

    fn read(json: serde_json::Value) -> std::result::Result<Invocation, String> {
        let request: InvocationRequest = serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())?;
        request.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_documented_example_is_read() {
        let request: ExecuteRequest = serde_json::from_str(
            r#"{"module": "resize@3", "input": "text", "input_base64": null, "args": ["--width", "80"], "env": {"LANG": "C"},
                "files": [{"path": "in/a.txt", "content": "x", "encoding": "utf8"}], "collect_files": ["out/*.json"],
                "entrypoint": {"function": "add", "params": [2, 3]},
                "limits": {"timeout_ms": 2000, "memory_bytes": 33554432}}"#,
        )
        .unwrap();
        let (module, rest) = request.split();
        let invocation = rest.check().unwrap();
        assert_eq!(module, "resize@3");
        assert_eq!(invocation.args, ["--width", "80"]);
        assert_eq!(invocation.entrypoint.unwrap().params, [Number::Integer(2), Number::Integer(3)]);
        assert_eq!(invocation.limits.memory_bytes, Some(33_554_432));
        assert!(invocation.collect_files.matches("out/a.json"));
    }

    #[test]
    fn everything_may_be_left_out_or_null() {
        let invocation = read(serde_json::json!({"args": null, "env": null, "files": null, "limits": null})).unwrap();
        assert!(matches!(invocation.input, Input::Empty));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (serde_json::json!({"input": "a", "input_base64": "YQ=="}), "send one of them"),
            (serde_json::json!({"input_base64": "@"}), "no base64"),
            (serde_json::json!({"files": [{"path": "../x", "content": ""}]}), "files[0].path"),
            (serde_json::json!({"files": [{"path": "x", "content": "@", "encoding": "base64"}]}), "files[0].content"),
            (serde_json::json!({"collect_files": ["["]}), "collect_files[0]"),
            (serde_json::json!({"limits": {"timeout": 1}}), "unknown field `timeout`"),
            (serde_json::json!({"limits": {"timeout_ms": -1}}), "integer `-1`"),
            (serde_json::json!({"entrypoint": {"function": "f", "params": [[1]]}}), "a number, or the text of one"),
            (serde_json::json!({"collect_files": vec!["a"; 65]}), "at most 64 items"),
        ];
        for (json, expected) in cases {
            let error = read(json.clone()).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
