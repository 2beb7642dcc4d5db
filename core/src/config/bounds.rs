//! Bounds of numbers, checked where they are read, so that a wrong one is reported with its key and its source.

use serde::{Deserialize, Deserializer, de};

/// Read a whole number from `MIN` to `MAX`. For `#[serde(deserialize_with = "between::<1, 60_000, _, _>")]`.
///
/// # Errors
/// The value found, and the bounds.
pub fn between<'de, const MIN: u64, const MAX: u64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let value = u64::deserialize(deserializer)?;
    let wrong = || {
        let expected = format!("{MIN} to {MAX}");
        de::Error::invalid_value(de::Unexpected::Unsigned(value), &expected.as_str())
    };
    if !(MIN..=MAX).contains(&value) {
        return Err(wrong());
    }
    T::try_from(value).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use figment::{Figment, providers::Serialized};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Section {
        #[serde(deserialize_with = "between::<1, 300, _, _>")]
        size: u8,
    }

    #[test]
    fn a_number_out_of_bounds_names_its_key_and_the_bounds() {
        let read =
            |value: u64| Figment::from(Serialized::default("size", value)).extract::<Section>().map_err(Box::new);
        assert_eq!(read(255).unwrap().size, 255);
        for wrong in [0, 301, 300] {
            let message = crate::config::explain(&read(wrong).unwrap_err(), "plugin");
            assert!(message.starts_with("`plugin.size`") && message.ends_with("it must be 1 to 300"), "{message}");
        }
    }
}
