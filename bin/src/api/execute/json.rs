//! What is to run and how, in JSON.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use poem_openapi::{
    Enum, Object,
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};
use wasmwiz_core::{
    Error, Result,
    error::FieldError,
    execution::{Entrypoint, Input, Invocation, Number, RequestedLimits, Value},
    files::{FileGlobs, InputFile, MAX_PATTERNS},
};

/// The most arguments; together they have at most `server.max_args_bytes`.
const MAX_ARGS: usize = 65_536;
/// The most files; each costs memory beside what it holds.
const MAX_FILES: usize = 65_536;
/// The most parameters of a function (WebAssembly JavaScript Interface, section "Implementation-defined limits").
const MAX_PARAMS: usize = 1000;

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
        let number = |number: JsonNumber| match number {
            JsonNumber::Integer(value) => Number::Integer(value),
            JsonNumber::Float(value) => Number::Float(value),
            JsonNumber::Single(value) => Number::Float(value.into()),
        };
        Self { function: asked.function, params: asked.params.unwrap_or_default().into_iter().map(number).collect() }
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

/// A number, or the text of one that JSON's numbers cannot say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JsonNumber {
    /// A whole number.
    Integer(i128),
    /// A 64-bit float.
    Float(f64),
    /// A 32-bit float, which is written with fewer digits.
    Single(f32),
}

impl JsonNumber {
    /// Read the text of a number.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(super) fn parse(text: &str) -> std::result::Result<Self, String> {
        match text {
            "NaN" => return Ok(Self::Float(f64::NAN)),
            "Infinity" => return Ok(Self::Float(f64::INFINITY)),
            "-Infinity" => return Ok(Self::Float(f64::NEG_INFINITY)),
            _ => {}
        }
        if let Ok(integer) = text.parse() {
            return Ok(Self::Integer(integer));
        }
        // Rust's own words for these (`inf`, `nan`) are not JSON's neighbours.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let float = text.parse::<f64>().ok().filter(|float| plain && float.is_finite());
        let shown: String = text.chars().take(40).collect();
        float.map(Self::Float).ok_or(format!("`{shown}` is no number; write 7, -1.5e3, NaN, Infinity or -Infinity"))
    }
}

impl From<Value> for JsonNumber {
    fn from(value: Value) -> Self {
        match value {
            Value::I32(value) => Self::Integer(value.into()),
            Value::I64(value) => Self::Integer(value.into()),
            Value::F32(value) => Self::Single(value),
            Value::F64(value) => Self::Float(value),
        }
    }
}

impl Serialize for JsonNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let special = |float: f64| match float {
            float if float.is_nan() => "NaN",
            float if float > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        match *self {
            Self::Integer(value) => serializer.serialize_i128(value),
            Self::Float(value) if value.is_finite() => serializer.serialize_f64(value),
            Self::Single(value) if value.is_finite() => serializer.serialize_f32(value),
            Self::Float(value) => serializer.serialize_str(special(value)),
            Self::Single(value) => serializer.serialize_str(special(value.into())),
        }
    }
}

impl<'de> Deserialize<'de> for JsonNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Numeric;
        impl Visitor<'_> for Numeric {
            type Value = JsonNumber;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or the text of one")
            }
            fn visit_i64<E>(self, value: i64) -> std::result::Result<JsonNumber, E> {
                Ok(JsonNumber::Integer(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> std::result::Result<JsonNumber, E> {
                Ok(JsonNumber::Integer(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> std::result::Result<JsonNumber, E> {
                Ok(JsonNumber::Float(value))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<JsonNumber, E> {
                JsonNumber::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Numeric)
    }
}

/// Describe a type to poem-openapi that serde reads and writes.
macro_rules! described {
    ($type:ty, $name:literal, $schema:expr) => {
        impl Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }
            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }
        impl ParseFromJSON for $type {
            fn parse_from_json(value: Option<serde_json::Value>) -> ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
            }
        }
        impl ToJSON for $type {
            fn to_json(&self) -> Option<serde_json::Value> {
                serde_json::to_value(self).ok()
            }
        }
    };
}

described!(Base64Bytes, "base64", MetaSchema::new_with_format("string", "byte"));
described!(
    JsonNumber,
    "number_or_text",
    MetaSchema {
        one_of: ["number", "string"].map(|ty| MetaSchemaRef::Inline(Box::new(MetaSchema::new(ty)))).to_vec(),
        ..MetaSchema::ANY
    }
);

#[cfg(test)]
mod tests {
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

    #[test]
    fn numbers_are_read_without_loss() {
        assert_eq!(JsonNumber::parse("18446744073709551615"), Ok(JsonNumber::Integer(u64::MAX.into())));
        assert_eq!(JsonNumber::parse("-1.5e3"), Ok(JsonNumber::Float(-1500.0)));
        assert!(matches!(JsonNumber::parse("NaN"), Ok(JsonNumber::Float(float)) if float.is_nan()));
        for text in ["", "inf", "nan", "1e999", "0x10", "1,5"] {
            assert!(JsonNumber::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_written_as_text() {
        let values = [Value::F64(f64::NAN), Value::F32(f32::NEG_INFINITY), Value::F32(0.1), Value::I64(i64::MIN)];
        let written = serde_json::to_string(&values.map(JsonNumber::from)).unwrap();
        assert_eq!(written, r#"["NaN","-Infinity",0.1,-9223372036854775808]"#);
    }
}
