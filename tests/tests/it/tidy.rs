//! What the repository's files must keep to, whoever writes them.
