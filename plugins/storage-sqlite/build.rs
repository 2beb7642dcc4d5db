//! Rebuilds the plugin when a migration is added. One that changes is noticed by the compiler itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/sqlite");
}
