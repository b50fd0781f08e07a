//! infra/grant-graph.sh, run with a fake `az`.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use tenantry_core::permissions::data_plane::{GRAPH, GRAPH_OPTIONAL};

use super::templates::{file, root};

const PRINCIPAL: &str = "11111111-2222-3333-4444-555555555555";

/// A fake `az`. It knows every permission except those in the file `unknown`, refuses to grant one if there is a file
/// `denied`, and asks for a login if there is a file `signed-out`.
const AZ: &str = r#"#!/usr/bin/env bash
here=$(dirname "$0")
all="$*"
after() { sed -n "s/.*$1'\([^']*\)'.*/\1/p" <<<"$all"; }
case "$1 $2" in
'cloud show') echo https://graph.microsoft.com/ ;;
'ad sp')
    [[ -e $here/signed-out ]] && { echo 'Please run az login' >&2; exit 1; }
    if [[ $all == *"--query id "* ]]; then echo graph-in-this-directory; else
        name=$(after "value==")
        grep -qx "$name" "$here/unknown" 2>/dev/null || echo "role-of-$name"
    fi ;;
'rest --method')
    [[ $all == *"/v1.0/servicePrincipals/11111111-2222-3333-4444-555555555555/appRoleAssignments"* ]] || exit 9
    if [[ $3 == get ]]; then grep -x "$(after "appRoleId==")" "$here/granted" 2>/dev/null || true; else
        [[ -e $here/denied ]] && { echo 'Insufficient privileges' >&2; exit 1; }
        [[ $all == *'"principalId": "11111111-2222-3333-4444-555555555555"'* ]] || exit 9
        [[ $all == *'"resourceId": "graph-in-this-directory"'* ]] || exit 9
        sed -n 's/.*"appRoleId": "\([^"]*\)".*/\1/p' <<<"$all" >>"$here/granted"
    fi ;;
*) exit 9 ;;
esac
"#;

fn stand_in() -> TempDir {
    let folder = crate::testkit::folder();
    let az = folder.path().join("az");
    fs::write(&az, AZ).unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    #[expect(
        clippy::disallowed_methods,
        reason = "config reads the program's settings; this is the tests' own path"
    )]
    let path = std::env::var("PATH").unwrap_or_default();
    let mut script = Command::new("bash");
    script.arg(root().join("infra/grant-graph.sh")).args(arguments);
    script.env("PATH", format!("{}:{path}", folder.display())).output().unwrap()
}

fn granted(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("granted")).unwrap_or_default();
    text.lines().map(|line| line.trim_start_matches("role-of-").to_owned()).collect()
}

/// The items of a list in the script.
fn list(name: &str) -> BTreeSet<String> {
    let script = file("infra/grant-graph.sh");
    let rest = script.split_once(&format!("\n{name}=(")).unwrap().1;
    rest.split_once(')').unwrap().0.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_script_names_the_permissions_that_the_program_needs() {
    assert_eq!(list("needed"), BTreeSet::from([GRAPH.to_owned()]));
    let optional = list("optional");
    assert!(optional.contains(GRAPH_OPTIONAL), "{optional:?}");
    // This permission allows reading the members of groups that hold a role (docs/isolation.md).
    let others: Vec<&String> = optional.iter().filter(|name| *name != GRAPH_OPTIONAL).collect();
    assert_eq!(others, ["GroupMember.Read.All"]);
    assert!(file("docs/isolation.md").contains("`GroupMember.Read.All`"));
}

#[test]
fn the_script_grants_each_permission_once_even_if_it_runs_again() {
    let folder = stand_in();
    for outcome in ["granted", "granted already"] {
        let done = run(folder.path(), &[PRINCIPAL]);
        assert!(done.status.success(), "{done:?}");
        assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("{GRAPH}: {outcome}\n"));
        assert_eq!(granted(folder.path()), [GRAPH]);
    }
    let done = run(folder.path(), &[PRINCIPAL, "--optional"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(granted(folder.path()), [GRAPH, GRAPH_OPTIONAL, "GroupMember.Read.All"]);
}

#[test]
fn the_script_reports_what_could_not_be_done() {
    let folder = stand_in();
    let case = |mark: &str, arguments: &[&str]| {
        fs::write(folder.path().join(mark), format!("{GRAPH}\n")).unwrap();
        let done = run(folder.path(), arguments);
        fs::remove_file(folder.path().join(mark)).unwrap();
        assert!(granted(folder.path()).is_empty(), "{mark}");
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, printed) = case("denied", &[PRINCIPAL]);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains(&format!("{GRAPH} could not be granted"))
            && printed.contains(&format!("sh {PRINCIPAL}")),
        "{printed}"
    );
    let (code, printed) = case("unknown", &[PRINCIPAL]);
    assert!(code == Some(1) && printed.contains("has no permission"), "{code:?} {printed}");
    let (code, printed) = case("signed-out", &[PRINCIPAL]);
    assert!(code == Some(1) && printed.contains("az login"), "{code:?} {printed}");
    for arguments in [&[][..], &["contoso"], &[PRINCIPAL, "--all"], &[PRINCIPAL, "--optional", "x"]] {
        let (code, printed) = case("none", arguments);
        assert!(code == Some(2) && printed.contains("usage"), "{arguments:?} {code:?} {printed}");
    }
}
