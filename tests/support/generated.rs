//! Files that are made from the code and committed.

use std::path::{Path, PathBuf};

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Checks that the committed file is what the code makes of it today. With the variable set it is
/// written first.
///
/// # Panics
///
/// If it is stale.
pub fn is_current(path: &str, fresh: &str, variable: &str) {
    let file = root().join(path);
    if std::env::var_os(variable).is_some() {
        let folder = file.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("the folder is made");
        std::fs::write(&file, fresh).expect("the file is writable");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == fresh,
        "{path} is stale; run the test again with {variable}=1"
    );
}
