//! Loads the blueprints that a command uses: the built-in one and those in the folder `TENANTRY_BLUEPRINTS`.

use std::path::PathBuf;

use tenantry_core::blueprint::{Blueprint, DEFAULT};

use crate::{config::Config, intake::clashes};

/// Loads and checks the built-in blueprint and those in the folder that `TENANTRY_BLUEPRINTS` names. The error lists
/// all problems.
pub(super) fn known(config: &Config) -> Result<Vec<Blueprint>, Vec<String>> {
    let mut problems = Vec::new();
    let mut texts = vec![("the built-in blueprint".to_owned(), DEFAULT.to_owned())];
    if let Some(folder) = &config.blueprints {
        match blueprint_files(folder) {
            Ok(files) => texts.extend(files),
            Err(error) => {
                problems.push(format!("TENANTRY_BLUEPRINTS: {} can't be read: {error}", folder.display()));
            }
        }
    }
    let mut blueprints = Vec::new();
    for (name, text) in texts {
        match Blueprint::check(&text) {
            Ok(checked) => blueprints.push(checked.blueprint),
            Err(findings) => {
                problems.extend(findings.iter().map(|finding| {
                    format!("{name}:{}:{}: {}", finding.line, finding.column, finding.message)
                }));
            }
        }
    }
    problems.extend(clashes(&blueprints));
    if problems.is_empty() { Ok(blueprints) } else { Err(problems) }
}

/// Reads the `.yaml` and `.yml` files of a folder. Returns the path and the text of each, sorted by path.
fn blueprint_files(folder: &std::path::Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let is_yaml =
        |file: &PathBuf| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    files
        .into_iter()
        .filter(is_yaml)
        .map(|file| Ok((file.display().to_string(), std::fs::read_to_string(&file)?)))
        .collect()
}
