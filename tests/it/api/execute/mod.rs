//! Running modules.

mod json;
mod multipart;
mod run;
mod streaming;
