//! Numbers, times and foreign text as people read them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Write a number of things: `1 key`, `2 keys`.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Write a size in bytes: `512 B`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    // The 1023.95 keeps `1024.0 KiB` from being written where `1.0 MiB` is meant.
    let unit = UNITS.iter().enumerate().take_while(|(power, _)| bytes as f64 >= 1023.95_f64.powi(*power as i32)).last();
    match unit {
        Some((power @ 1.., name)) => format!("{:.1} {name}", bytes as f64 / 1024_f64.powi(power as i32)),
        _ => format!("{bytes} B"),
    }
}

/// Read a size: `67108864`, `64MiB`, `64M`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_number(text);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(format!("`{text}` is no size; write bytes, or a number with KiB, MiB or GiB")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is no size; write bytes, such as 67108864 or 64MiB"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is too large"))
}

/// Read a length of time: `30d`, `12h`, `90m`, `45s`, `2w`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; write a number and s, m, h, d or w, such as 30d");
    let (number, unit) = split_number(text);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    // 100 years: later times would not fit what a key's record can hold.
    if (1..=3_155_760_000).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Write a time that came as RFC 3339: `2026-11-24 01:13:05 UTC`.
pub(super) fn time(text: &str) -> String {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    time.map_or_else(|_| clean(text), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Write a JSON value as a TOML file would have it.
pub(super) fn value(value: &serde_json::Value) -> String {
    clean(&value.to_string())
}

/// Take from foreign text what would move a terminal's cursor or change its colours.
pub(super) fn clean(text: &str) -> String {
    let dangerous = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().flat_map(|c| if dangerous(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_their_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (134_217_728, "128.0 MiB"),
            (1 << 50, "1024.0 TiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn sizes_are_read_with_or_without_a_unit() {
        assert_eq!(parse_size("67108864"), Ok(64 << 20));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64 m"), Ok(64 << 20));
        for wrong in ["", "MiB", "-1", "64 parsecs", "1.5M", "99999999999G"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_are_read_with_their_unit() {
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(parse_duration("90m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "30", "d", "0d", "-1d", "1y", "99999999w", "1.5h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time("2026-11-24T02:13:05.25+01:00"), "2026-11-24 01:13:05 UTC");
        assert_eq!(time("soon"), "soon");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d é"), "a\\u{1b}[31mb\\nc\\u{202e}d é");
    }

    #[test]
    fn things_are_counted_in_words() {
        assert_eq!((count(1, "key"), count(0, "key")), ("1 key".into(), "0 keys".into()));
    }
}
