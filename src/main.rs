//! The binary: parses, runs, prints the error, returns the exit status.
fn main() {}
