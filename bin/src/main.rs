//! The program. Everything is in the library, so that others can build it with plugins of their own.

fn main() -> std::process::ExitCode {
    wasmwiz::run()
}
