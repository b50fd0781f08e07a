//! The parsed files of infra/, and copies with an error in them.

use std::{collections::BTreeMap, fs, path::Path};

use super::bicep::{self, Declaration, Expr, Kind};

/// A parsed Bicep file.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The file's path below infra/.
    pub(crate) path: String,
    pub(crate) declarations: Vec<Declaration>,
}

/// All Bicep and JSON files of infra/ and infra/modules: their texts by path, and the parsed Bicep files.
#[derive(Debug, Clone)]
pub(crate) struct Infra {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) templates: Vec<Template>,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub(crate) fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Infra {
    pub(crate) fn read() -> Self {
        let mut texts = BTreeMap::new();
        for folder in ["", "modules/"] {
            for entry in fs::read_dir(root().join("infra").join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if [".bicep", ".bicepparam", ".json"].iter().any(|ending| name.ends_with(ending)) {
                    let path = format!("{folder}{name}");
                    texts.insert(path.clone(), file(&format!("infra/{path}")));
                }
            }
        }
        Self::of(texts)
    }

    fn of(texts: BTreeMap<String, String>) -> Self {
        let bicep = texts.iter().filter(|(path, _)| !path.ends_with(".json"));
        let templates = bicep.map(|(path, text)| Template {
            path: path.clone(),
            declarations: bicep::read(text).unwrap_or_else(|fault| panic!("infra/{path}: {fault}")),
        });
        let templates = templates.collect();
        Self { texts, templates }
    }

    /// A copy with one text replaced in one file.
    pub(crate) fn spoilt(&self, path: &str, from: &str, to: &str) -> Self {
        let mut texts = self.texts.clone();
        let text = texts.get_mut(path).unwrap_or_else(|| panic!("there is no {path}"));
        assert!(text.contains(from), "{path} has no {from:?} to replace");
        *text = text.replace(from, to);
        Self::of(texts)
    }

    pub(crate) fn template(&self, path: &str) -> &Template {
        self.templates.iter().find(|template| template.path == path).unwrap_or_else(|| panic!("no {path}"))
    }

    /// The resources of one type that the templates create.
    pub(crate) fn made(&self, of: &str) -> Vec<&Declaration> {
        let all = self.templates.iter().flat_map(Template::resources);
        all.filter(|one| !one.existing && one.of.split('@').next() == Some(of)).collect()
    }
}

impl Template {
    /// All resources, nested ones included.
    pub(crate) fn resources(&self) -> Vec<&Declaration> {
        let mut all = Vec::new();
        for one in self.declarations.iter().filter(|one| one.kind == Kind::Resource) {
            all.push(one);
            let inside = one.body.as_ref().and_then(Expr::object);
            all.extend(inside.into_iter().flat_map(|object| &object.nested));
        }
        all
    }

    pub(crate) fn find(&self, kind: Kind, name: &str) -> Option<&Declaration> {
        self.declarations.iter().find(|one| one.kind == kind && one.name == name)
    }
}

impl Declaration {
    /// A member of the body, by its path.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Expr> {
        self.body.as_ref()?.at(path)
    }

    /// The text of a member, or its source if it is not a plain string.
    pub(crate) fn says(&self, path: &[&str]) -> String {
        self.at(path).map(Expr::shown).unwrap_or_default()
    }
}
