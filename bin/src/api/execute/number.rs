//! Numbers that go into a guest's functions and come out of them.

use std::fmt;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use wasmwiz_core::execution::{Number, Value};

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

impl From<JsonNumber> for Number {
    fn from(number: JsonNumber) -> Self {
        match number {
            JsonNumber::Integer(value) => Self::Integer(value),
            JsonNumber::Float(value) => Self::Float(value),
            JsonNumber::Single(value) => Self::Float(value.into()),
        }
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
        impl poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Inline(Box::new($schema))
            }
            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }
        impl poem_openapi::types::ParseFromJSON for $type {
            fn parse_from_json(value: Option<serde_json::Value>) -> poem_openapi::types::ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(poem_openapi::types::ParseError::custom)
            }
        }
        impl poem_openapi::types::ToJSON for $type {
            fn to_json(&self) -> Option<serde_json::Value> {
                serde_json::to_value(self).ok()
            }
        }
    };
}
pub(super) use described;

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
