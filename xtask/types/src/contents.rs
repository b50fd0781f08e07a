//! The table's first text: the source, the names of the other texts, and the index of all types.

use std::{collections::BTreeSet, io};

use crate::folder::Folder;

/// Stands after a version of which a text has the shape.
const HAS_SHAPE: char = '*';

/// The contents of the table. It is an error if the files of the folder do not fit each other.
pub(crate) fn of(folder: &Folder) -> io::Result<String> {
    let mut shaped = BTreeSet::new();
    for (name, text) in &folder.shapes {
        let version = name.rsplit('/').next().unwrap_or_default();
        for resource in resources(text) {
            shaped.insert((resource.to_lowercase(), version.to_owned()));
        }
    }
    let mut contents = format!("{}\n\n", source(&folder.source)?);
    for name in folder.shapes.keys() {
        contents.push_str(name);
        contents.push('\n');
    }
    for line in folder.index.lines() {
        let (name, versions) = line.split_once('\t').ok_or_else(|| odd("index.tsv", line))?;
        let mut mark = |version: &str| {
            let has = shaped.remove(&(name.to_lowercase(), version.to_owned()));
            if has { format!("{version}{HAS_SHAPE}") } else { version.to_owned() }
        };
        let versions: Vec<String> = versions.split(',').map(&mut mark).collect();
        contents.push_str(&format!("\n{name}\t{}", versions.join(",")));
    }
    match shaped.first() {
        None => Ok(contents),
        Some((name, version)) => Err(odd("types/", &format!("{name} at {version}, which index.tsv lacks"))),
    }
}

/// The package and its version, from the line of `source.json`.
fn source(json: &str) -> io::Result<String> {
    let member = |name: &str| {
        let value = json.split_once(&format!("\"{name}\":\""))?.1;
        Some(value.split_once('"')?.0)
    };
    let both = member("package").zip(member("version"));
    both.map(|(package, version)| format!("{package} {version}")).ok_or_else(|| odd("source.json", json))
}

/// The names of the types in a file with shapes, which has each in a line of its own.
fn resources(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().skip_while(|line| *line != "\"resources\":{").skip(1);
    lines.take_while(|line| *line != "\"types\":{").filter_map(|line| line.split('"').nth(1))
}

fn odd(file: &str, what: &str) -> io::Error {
    io::Error::other(format!("{file} is not as its README says: {what}"))
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::folder::Folder;

    fn folder(index: &str) -> Folder {
        let shapes = "{\"provider\":\"A.B\",\"apiVersion\":\"2024-01-01\",\n\"resources\":{\n\
                      \"A.b/c\":{\"body\":\"#A\",\"readable\":[],\"writable\":[]}},\n\"types\":{\n\"A\":{}}}\n";
        Folder {
            source: "{\"registry\":\"NuGet\",\"package\":\"P\",\"version\":\"1.2\"}\n".to_owned(),
            index: index.to_owned(),
            shapes: [("a.b/2024-01-01".to_owned(), shapes.to_owned())].into(),
        }
    }

    #[test]
    fn the_versions_with_a_shape_are_marked() {
        let contents = of(&folder("A.B/c\t2024-01-01,2023-01-01\n")).unwrap();
        assert_eq!(contents, "P 1.2\n\na.b/2024-01-01\n\nA.B/c\t2024-01-01*,2023-01-01");
    }

    #[test]
    fn a_shape_that_the_index_lacks_is_refused() {
        let error = of(&folder("A.B/c\t2023-01-01\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "types/ is not as its README says: a.b/c at 2024-01-01, which index.tsv lacks"
        );
    }
}
