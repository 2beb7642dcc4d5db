// rust_hello_fs: Rust's std on files: makes a directory, writes, renames, lists, reads and removes; prints each step.
// Reads input.txt first when the invocation brought one. Exit code 1 with a message at the first error.

use std::fs;
use std::io::{self, Write};

fn main() {
    if let Err(error) = run() {
        eprintln!("rust_hello_fs: {error}");
        std::process::exit(1);
    }
}

fn run() -> io::Result<()> {
    match fs::read_to_string("input.txt") {
        Ok(text) => println!("input: {}", text.trim_end()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => println!("input: none"),
        Err(error) => return Err(error),
    }
    fs::create_dir_all("work/deep")?;
    fs::write("work/one.txt", "first\n")?;
    fs::OpenOptions::new().append(true).open("work/one.txt")?.write_all(b"second\n")?;
    fs::copy("work/one.txt", "work/two.txt")?;
    fs::rename("work/two.txt", "work/deep/three.txt")?;
    println!("size: {}", fs::metadata("work/deep/three.txt")?.len());
    println!("text: {:?}", fs::read_to_string("work/deep/three.txt")?);

    let mut names = Vec::new();
    for entry in fs::read_dir("work")? {
        let entry = entry?;
        let kind = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{kind}", entry.file_name().to_string_lossy()));
    }
    names.sort();
    println!("list: {}", names.join(" "));

    fs::remove_file("work/deep/three.txt")?;
    fs::remove_dir("work/deep")?;
    println!("gone: {}", fs::metadata("work/deep").is_err());
    fs::write("work/result.txt", "done\n")
}
