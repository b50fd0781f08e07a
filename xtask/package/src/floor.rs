//! Finds the glibc version that an executable needs, from its table of needed versions.

use object::{
    Endianness,
    read::elf::{FileHeader as _, SectionHeader as _},
};

use crate::Outcome;

/// A version such as 2.28: major and minor number.
pub(crate) type Version = (u32, u32);

/// The newest version of glibc of which the executable needs a symbol. An executable that needs none is an error,
/// because the program is linked dynamically.
pub(crate) fn glibc(program: &[u8]) -> Outcome<Version> {
    let header = object::elf::FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, program)?;
    let mut newest = None;
    for section in sections.iter() {
        let Some((needs, strings)) = section.gnu_verneed(endian, program)? else { continue };
        let strings = sections.strings(endian, program, strings)?;
        let mut needs = needs;
        while let Some((_, mut versions)) = needs.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
                if let Some(version) = name.strip_prefix("GLIBC_") {
                    newest = newest.max(Some(parsed(version)?));
                }
            }
        }
    }
    newest.ok_or_else(|| "it needs no version of glibc: is it linked dynamically?".into())
}

fn parsed(version: &str) -> Outcome<Version> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(format!("GLIBC_{version} is no version that can be compared").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    fn this_very_test_needs_a_glibc() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(glibc(&own).unwrap() >= (2, 2));
    }

    #[test]
    fn versions_are_numbers_not_texts() {
        assert!(parsed("2.4").unwrap() < parsed("2.28").unwrap());
        assert_eq!(parsed("2.2.5").unwrap(), (2, 2));
        assert!(parsed("PRIVATE").is_err());
        assert!(glibc(b"#!/bin/sh\n").is_err());
    }
}
