//! The invariants of the house, kept by reading the sources: which file may name what.

use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file of ours below `folder`, with its path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = root();
    let mut open = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name != "target" && name != "node_modules" {
                open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{folder} holds no sources");
    found.sort();
    found
}

/// The product's own code: tests, which may look behind any door, are cut off.
pub fn product(folder: &str) -> Vec<(String, String)> {
    let mut files = sources(folder);
    files.retain(|(name, _)| !name.contains("/tests/") && !name.ends_with("/tests.rs"));
    for (_, text) in &mut files {
        if let Some(at) = text.find("#[cfg(test)]\nmod tests {") {
            text.truncate(at);
        }
    }
    files
}

/// Files below `folder` whose code names `word` although `allowed` says no.
fn trespassers(folder: &str, word: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let code =
        |text: &str| text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| line.contains(word));
    product(folder).into_iter().filter(|(name, text)| code(text) && !allowed(name)).map(|(name, _)| name).collect()
}

/// Every method and path that a `routes.rs` serves.
pub fn routes() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, text) in product("shared/app/src").into_iter().filter(|(name, _)| name.ends_with("/routes.rs")) {
        for route in text.split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap().to_owned();
            // Up to the parenthesis that closes `.route(`.
            let mut depth = 1;
            let end = route.char_indices().find(|(_, c)| {
                depth += match c {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            });
            let methods = &route[..end.unwrap().0];
            for method in ["get", "post", "put", "patch", "delete"] {
                let named = methods.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == method);
                if named && methods.contains(&format!("{method}(")) {
                    found.push((method.to_uppercase(), path.clone()));
                }
            }
        }
    }
    assert!(found.len() > 25, "only {} routes were found: the scan reads the wrong places", found.len());
    found
}

fn none(trespassers: Vec<String>, rule: &str) {
    assert!(trespassers.is_empty(), "{rule}: {trespassers:#?}");
}

#[test]
fn axum_stays_at_the_doors() {
    let doors = |name: &str| {
        name.contains("/http/")
            || name.ends_with("/routes.rs")
            || name == "shared/app/src/auth/extract.rs"
            || name == "shared/app/src/function.rs"
    };
    none(
        trespassers("shared/app/src", "axum", doors),
        "axum belongs to http/, routes.rs, auth's extractor and function.rs",
    );
    none(trespassers("shared/llm/src", "axum", |_| false), "docent-llm knows no web framework");
    none(trespassers("shared/text/src", "axum", |_| false), "docent-text knows no web framework");
}

#[test]
fn only_stores_speak_to_postgres() {
    let stores = |name: &str| name.contains("/db/") || name.contains("/store") || name == "shared/app/src/config.rs";
    none(
        trespassers("shared/app/src", "tokio_postgres", stores),
        "tokio_postgres belongs to db/, */store.rs and the URL check of config.rs",
    );
    none(trespassers("shared/llm/src", "tokio_postgres", |_| false), "docent-llm has no database");
    none(trespassers("shared/text/src", "tokio_postgres", |_| false), "docent-text has no database");
}

#[test]
fn one_transport_speaks_to_providers() {
    none(
        trespassers("shared/llm/src", "reqwest", |name| name == "shared/llm/src/transport.rs"),
        "reqwest belongs to transport.rs",
    );
    none(trespassers("shared/app/src", "reqwest", |_| false), "the product reaches providers through docent-llm");
}

#[test]
fn one_file_reads_the_environment() {
    for word in ["env::var", "env::vars"] {
        none(
            trespassers("shared", word, |name| name == "shared/app/src/config.rs"),
            "the environment belongs to config.rs",
        );
        none(trespassers("api", word, |_| false), "the environment belongs to config.rs");
        none(trespassers("functions/src", word, |_| false), "the environment belongs to config.rs");
    }
}

#[test]
fn tenants_are_minted_by_auth_and_by_stored_rows_alone() {
    let minters = |name: &str| name.starts_with("shared/app/src/auth/") || name.starts_with("shared/app/src/ingest/");
    none(trespassers("shared/app/src", "TenantId::stored", minters), "only auth and ingest mint tenants");
    none(
        trespassers("shared/app/src", "TenantId::create", |name| name.starts_with("shared/app/src/auth/")),
        "only the operator creates tenants",
    );
}

#[test]
fn store_functions_take_the_tenant_first() {
    for (name, text) in product("shared/app/src") {
        if !name.ends_with("store.rs") && !name.contains("/store/") {
            continue;
        }
        for line in text.lines().filter(|line| {
            line.trim_start().starts_with("pub async fn") || line.trim_start().starts_with("pub(crate) async fn")
        }) {
            let at = text.find(line).unwrap();
            let signature = &text[at..text.len().min(at + 200)];
            let arguments = signature.split_once('(').unwrap().1.trim_start();
            assert!(arguments.starts_with("tx: &TenantTx"), "{name}: {line}");
        }
    }
}

#[test]
fn rooms_never_reach_upwards() {
    let levels: [&[&str]; 8] = [
        &["health"],
        &["limits"],
        &["auth"],
        &["keys", "usage"],
        &["bots", "webhooks"],
        &["documents"],
        &["ingest", "search"],
        &["chat"],
    ];
    let level = |room: &str| levels.iter().position(|rooms| rooms.contains(&room));
    for (name, text) in product("shared/app/src") {
        let Some(room) =
            name.strip_prefix("shared/app/src/").and_then(|rest| rest.split_once('/')).map(|(room, _)| room)
        else {
            continue;
        };
        let Some(own) = level(room) else { continue };
        for other in levels.concat() {
            if other == room {
                continue;
            }
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let named = code.iter().any(|line| line.contains(&format!("crate::{other}")));
            assert!(!named || level(other).unwrap() < own, "{name} reaches from {room} to {other}");
            for inner in ["routes", "store"] {
                assert!(
                    !code.iter().any(|line| line.contains(&format!("{other}::{inner}"))),
                    "{name} goes through {other}::{inner}"
                );
            }
        }
    }
}

#[test]
fn files_stay_small_and_say_what_they_are_for() {
    for folder in ["shared", "api", "functions", "local", "bench"] {
        for (name, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 500, "{name} has {lines} lines");
            assert!(text.starts_with("//!"), "{name} does not say what it is for");
        }
    }
}

#[test]
fn entry_points_are_fifteen_lines_and_api_is_flat() {
    let root = root();
    let doors: Vec<PathBuf> = std::fs::read_dir(root.join("api")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in &doors {
        // Every other .rs below api/ would become a function of its own.
        let hidden = path.file_name().unwrap().to_string_lossy().starts_with('_');
        assert!(hidden || !path.is_dir(), "{} is not flat", path.display());
    }
    let lambda = std::fs::read_dir(root.join("functions/src/bin")).unwrap().map(|entry| entry.unwrap().path());
    let doors = doors.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names = Vec::new();
    for path in doors.chain(lambda).filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('_')) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 15, "{} has {lines} lines", path.display());
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    for function in ["health", "upload", "keys", "bots", "chat", "ingest"] {
        assert!(names.iter().any(|name| name == function), "api/{function}.rs is missing");
        assert!(names.iter().any(|name| *name == format!("lambda-{function}")), "lambda-{function} is missing");
    }
}
