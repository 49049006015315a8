//! What is read from the environment is said in one table, and nothing else is.

use std::collections::BTreeSet;

use docent::config::variables::{GROUPS, example};

use crate::house::{product, root};

/// Those of other programs, and one of the tests' own.
const FOREIGN: [&str; 4] = ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION", "DOCENT_FAILPOINT", "PATH"];

/// Names that a source hands to one of the environment's readers, or to clap.
fn read() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["shared/app/src", "local/src", "api", "functions"] {
        for (_, text) in product(folder) {
            let calls = [
                "environment.get(",
                "environment.required(",
                "environment.number(",
                ".get(name)",
                "env = ",
                "secret(",
                "bytes(",
                "rate(",
                "seconds(",
                "either(",
                "needed(",
                "list(environment, ",
                "places(environment, ",
                "var_os(",
            ];
            for call in calls {
                for after in text.split(call).skip(1) {
                    let until = after.find(')').unwrap_or(after.len());
                    let quoted = after[..until].split('"').skip(1).step_by(2);
                    names.extend(quoted.filter(|name| looks(name)).map(str::to_owned));
                }
            }
        }
    }
    names
}

fn looks(name: &str) -> bool {
    name.len() > 3
        && !name.starts_with('_')
        && !name.ends_with('_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn what_is_read_stands_in_the_table_and_the_other_way_round() {
    let known: BTreeSet<String> = GROUPS
        .iter()
        .flat_map(|group| group.variables)
        .flat_map(|one| [one.name, one.also])
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let missing: Vec<String> = read()
        .into_iter()
        .filter(|name| {
            !known.contains(name)
                && !FOREIGN.contains(&name.as_str())
                && !name.ends_with("_API_KEY")
                && !known.contains(&format!("OIDC_{name}"))
        })
        .collect();
    assert!(missing.is_empty(), "read, but not in config/variables.rs: {missing:?}");
    let sources: String = ["shared/app/src", "local/src"]
        .iter()
        .flat_map(|folder| product(folder))
        .filter(|(name, _)| !name.ends_with("variables.rs"))
        .map(|(_, text)| text)
        .collect();
    let said = |name: &&String| {
        let oidc = name
            .strip_prefix("OIDC_")
            .or(name.strip_prefix("AUTH_"))
            .is_some_and(|rest| sources.contains(&format!("\"{rest}\"")));
        name.contains('<') || oidc || sources.contains(&format!("\"{name}\""))
    };
    let unread: Vec<&String> = known.iter().filter(|name| !said(name)).collect();
    assert!(unread.is_empty(), "in the table, but read by nobody: {unread:?}");
}

#[test]
fn the_example_is_the_table() {
    let kept = std::fs::read_to_string(root().join(".env.example")).unwrap_or_default();
    assert_eq!(kept, example(), "write it anew: docent env > .env.example");
}
