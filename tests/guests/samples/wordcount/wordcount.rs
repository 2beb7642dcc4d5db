// wordcount: counts the lines, words and bytes of stdin and lists its ten most frequent words.
// Example: wordcount < book.txt            a table to read
// Example: wordcount --json < book.txt     the same as one line of JSON

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

const TOP: usize = 10;

struct Count {
    lines: usize,
    words: usize,
    bytes: usize,
    top: Vec<(String, usize)>,
}

fn main() {
    let json = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--json") => true,
        Some(other) => {
            eprintln!("wordcount: unknown argument `{other}`; usage: wordcount [--json] < text");
            std::process::exit(2);
        }
    };
    if let Err(error) = run(json) {
        eprintln!("wordcount: {error}");
        std::process::exit(1);
    }
}

fn run(json: bool) -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let count = count(&input);
    let report = if json { as_json(&count) } else { as_text(&count) };
    io::stdout().lock().write_all(report.as_bytes())
}

/// Counts words as runs without white space; the list ignores case and the punctuation around a word.
fn count(input: &[u8]) -> Count {
    let text = String::from_utf8_lossy(input);
    let mut words = 0;
    let mut seen = BTreeMap::<String, usize>::new();
    for word in text.split_whitespace() {
        words += 1;
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !bare.is_empty() {
            *seen.entry(bare.to_lowercase()).or_default() += 1;
        }
    }
    let mut top: Vec<_> = seen.into_iter().collect();
    // The sort is stable, so words of the same number stay in alphabetical order.
    top.sort_by(|a, b| b.1.cmp(&a.1));
    top.truncate(TOP);
    Count { lines: text.lines().count(), words, bytes: input.len(), top }
}

fn as_text(count: &Count) -> String {
    let mut report = format!("lines {}\nwords {}\nbytes {}\n", count.lines, count.words, count.bytes);
    if !count.top.is_empty() {
        report.push_str("\ntop words\n");
    }
    for (word, times) in &count.top {
        report.push_str(&format!("{times:6}  {word}\n"));
    }
    report
}

fn as_json(count: &Count) -> String {
    let top: Vec<String> = count
        .top
        .iter()
        // Words are lower-case text without white space, so quotes and backslashes are all that can need an escape;
        // control characters are escaped for the sake of the ones that do not count as white space.
        .map(|(word, times)| format!("{{\"word\":\"{}\",\"count\":{times}}}", escape(word)))
        .collect();
    format!(
        "{{\"lines\":{},\"words\":{},\"bytes\":{},\"top\":[{}]}}\n",
        count.lines,
        count.words,
        count.bytes,
        top.join(",")
    )
}

/// Escapes a string for JSON (RFC 8259, section 7).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c < ' ' => escaped.push_str(&format!("\\u{:04x}", c as u32)),
            c => escaped.push(c),
        }
    }
    escaped
}
