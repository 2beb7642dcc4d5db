//! The command line, as people and scripts use it.

mod client;
mod config;
mod run;
mod serve;
