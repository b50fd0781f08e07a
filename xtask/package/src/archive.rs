//! Packs and unpacks the zip. The same files give the same bytes, independent of machine and time.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Cursor, Read as _, Write as _},
    path::Path,
};

use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{Outcome, contents::Entry};

/// Packs entries in the order given. Their time is the earliest that a zip can have, so that the bytes do not depend on
/// the build.
pub(crate) fn pack(entries: &[Entry]) -> Outcome<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for Entry { name, bytes, mode } in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(*mode);
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Unpacks a zip with the files' modes, as the Functions platform does.
pub(crate) fn unpack(zip: &Path, folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    Ok(ZipArchive::new(File::open(zip)?)?.extract(folder)?)
}

/// The entries of a zip by name: bytes and mode.
pub(crate) fn read(zip: &[u8]) -> Outcome<BTreeMap<String, (Vec<u8>, u32)>> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let (name, mode) = (file.name()?.into_owned(), file.unix_mode().unwrap_or_default());
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if found.insert(name.clone(), (bytes, mode)).is_some() {
            return Err(format!("{name} is there twice").into());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let entry =
            |name: &str, mode| Entry { name: name.to_owned(), bytes: name.repeat(99).into_bytes(), mode };
        vec![entry("requests/function.json", 0o644), entry("tenantry", 0o755)]
    }

    #[test]
    fn the_same_files_make_the_same_zip_with_their_modes() {
        let zip = pack(&entries()).unwrap();
        assert_eq!(zip, pack(&entries()).unwrap());
        let found = read(&zip).unwrap();
        for Entry { name, bytes, mode } in entries() {
            let (held, held_mode) = &found[&name];
            assert_eq!((held, held_mode & 0o777), (&bytes, mode), "{name}");
        }
    }
}
