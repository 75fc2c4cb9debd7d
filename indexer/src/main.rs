//! The `indexer` command.

fn main() {}
