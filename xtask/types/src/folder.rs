//! The folder that the table is made from.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::contents;

/// The files of the folder.
pub(crate) struct Folder {
    /// The text of `source.json`: the package that everything was derived from.
    pub(crate) source: String,
    /// The text of `index.tsv`: all types with their versions.
    pub(crate) index: String,
    /// The text of each file with shapes, by `provider/version`.
    pub(crate) shapes: BTreeMap<String, String>,
}

impl Folder {
    /// Reads the folder. It is an error if a file is missing, or has no text.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut shapes = BTreeMap::new();
        for provider in entries(&folder.join("types"))? {
            for file in entries(&provider)? {
                let version = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let provider = provider.file_name().unwrap_or_default().to_string_lossy();
                shapes.insert(format!("{provider}/{version}"), read(&file)?);
            }
        }
        let (source, index) = (read(&folder.join("source.json"))?, read(&folder.join("index.tsv"))?);
        Ok(Self { source, index, shapes })
    }

    /// The texts of the table: the contents, then the files with shapes in the order of their names.
    pub(crate) fn texts(&self) -> io::Result<Vec<String>> {
        let contents = contents::of(self)?;
        Ok([contents].into_iter().chain(self.shapes.values().cloned()).collect())
    }
}

fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// The paths of a folder's entries.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
