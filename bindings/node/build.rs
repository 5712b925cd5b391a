//! Tells the linker what an addon of Node needs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    napi_build::setup();
}
