//! Copies the source tree, so that it can be built at another path or with patches.

use std::{fs, io, path::Path};

/// The names of folders that are not copied.
const LEFT: [&str; 4] = ["target", ".git", ".tenantry", "node_modules"];

/// Copies a source tree; an earlier copy is deleted first.
pub(crate) fn tree(from: &Path, to: &Path) -> io::Result<()> {
    let _ = fs::remove_dir_all(to);
    folder(from, to, &crate::target()?)
}

fn folder(from: &Path, to: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if path == target || LEFT.iter().any(|left| name == *left) {
            continue;
        }
        if path.is_dir() {
            folder(&path, &to.join(name), target)?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
