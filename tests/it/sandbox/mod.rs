//! What guests can and cannot do, on the whole server.

mod compile_bombs;
mod features;
mod isolation;
mod limits;
mod malformed;
mod verdicts;
