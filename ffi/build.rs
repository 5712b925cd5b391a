//! Tells the linker what the shared library is called and that it stays. Writes nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let arguments: &[&str] = match system.as_str() {
        // The major version of the ABI. The library's threads outlive `dlclose`: it stays mapped.
        "linux" | "android" | "freebsd" => &["-Wl,-soname,libremuda.so.0", "-Wl,-z,nodelete"],
        "macos" => &["-Wl,-install_name,@rpath/libremuda.0.dylib"],
        _ => &[],
    };
    for argument in arguments {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
