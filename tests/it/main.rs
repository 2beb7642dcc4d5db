//! Drives the real program over HTTP and from the command line. The paths mirror what is tested: `api/modules/upload.rs`
//! tests uploading a module.

mod api;
mod cli;
mod sandbox;
mod support;
