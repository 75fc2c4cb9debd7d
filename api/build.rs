//! Rebuilds the crate when a migration, a template or a built file of the pages is added: they are embedded.

fn main() {
    for embedded in ["../migrations", "templates", "web/dist"] {
        println!("cargo:rerun-if-changed={embedded}");
    }
}
