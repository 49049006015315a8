//! `public/openapi.json` is what the code says of itself: every route of every function, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use docent::error::Kind;
use docent::function;
use docent::http::openapi::{Operation, Schemas};
use docent::http::problem_schema;
use serde_json::{Map, Value, json};

use crate::house::{product, root, routes};
use crate::matrix::{self, For};

/// OpenAPI 3.1.1, whose schemas are those of JSON Schema 2020-12. <https://spec.openapis.org/oas/v3.1.1.html>
fn document() -> Value {
    let (mut schemas, words) = (Schemas::default(), Words::read());
    let (mut paths, mut tags, mut ids) = (json!({}), Vec::new(), BTreeSet::new());
    for operation in operations() {
        let mut described = operation.describe(&mut schemas);
        let said = words.of(&operation, &mut ids);
        if !tags.iter().any(|tag: &Value| tag["name"] == said.area) {
            tags.push(json!({ "name": said.area, "description": said.room }));
        }
        described["tags"] = json!([said.area]);
        described["operationId"] = json!(said.id);
        described["summary"] = json!(said.summary);
        if !said.description.is_empty() {
            described["description"] = json!(said.description);
        }
        paths[operation.path.as_str()][operation.method] = described;
    }
    let problem = problem_schema(&mut schemas).to_value();
    tags.sort_by_key(|tag| tag["name"].to_string());
    let mut document = json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Docent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": words.about,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": { "securitySchemes": security_schemes(), "responses": responses(&problem) },
    });
    document["components"]["schemas"] = components(&mut schemas, &mut document);
    tidy(&mut document);
    document
}

fn operations() -> Vec<Operation> {
    function::functions().into_iter().flat_map(|(_, rooms)| rooms.operations).collect()
}

/// What the sources say in doc comments.
struct Words {
    about: String,
    /// Each `routes.rs` by its path from `shared/app/src/`.
    files: BTreeMap<String, String>,
}

struct Said {
    area: String,
    room: String,
    id: String,
    summary: String,
    description: String,
}

impl Words {
    fn read() -> Words {
        let files = product("shared/app/src").into_iter();
        let files: BTreeMap<String, String> =
            files.map(|(name, text)| (name.replace("shared/app/src/", ""), text)).collect();
        Words { about: comment(files["lib.rs"].lines().take_while(|line| *line != "//!"), "//!"), files }
    }

    fn of(&self, operation: &Operation, ids: &mut BTreeSet<String>) -> Said {
        let (module, handler) = operation.handler.rsplit_once("::").unwrap();
        let module = module.strip_prefix("docent::").unwrap();
        let text = &self.files[&format!("{}.rs", module.replace("::", "/"))];
        let (before, _) = text.split_once(&format!("\nasync fn {handler}(")).unwrap();
        let above = before.lines().rev().take_while(|line| line.starts_with("///"));
        let segments: Vec<&str> = operation.path.split('/').skip(1).collect();
        // `/api/v1/health` is `/api/health` under another name; `/v1/…` is OpenAI's.
        let area = segments[if operation.path.starts_with("/api/v1/") { 2 } else { usize::from(segments[0] == "api") }];
        let mut id = handler.to_owned();
        if !ids.insert(id.clone()) {
            // One handler of two addresses, or of two methods of one.
            let last = segments.last().unwrap();
            id = format!("{handler}_{}", if handler.contains(last) { operation.method } else { last });
            if !ids.insert(id.clone()) {
                id = format!("{}_{}", operation.method, segments.join("_"));
                assert!(ids.insert(id.clone()), "{id} names two operations");
            }
        }
        let words = handler.replace('_', " ");
        Said {
            area: area.to_owned(),
            room: comment(text.lines(), "//!"),
            id,
            summary: format!("{}{}", words[..1].to_uppercase(), &words[1..]),
            description: comment(above.collect::<Vec<_>>().into_iter().rev(), "///"),
        }
    }
}

fn comment<'a>(lines: impl Iterator<Item = &'a str>, mark: &str) -> String {
    let lines = lines.map_while(|line| line.strip_prefix(mark)).map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}

fn security_schemes() -> Value {
    let bearer = |description: &str| json!({ "type": "http", "scheme": "bearer", "description": description });
    json!({
        "secretKey": bearer("A tenant's secret token, `docent_sk_…`, for servers. It has one or more of the scopes chat, read, write and admin."),
        "publishableKey": bearer("A tenant's publishable token, `docent_pk_…`, for pages of the origins that it names."),
        "visitorToken": bearer("A visitor's short token, `docent_vt_…`, minted by `POST /api/tokens/visitor`; good from its page's origin."),
        "sessionToken": bearer("The signed session of an identity provider that the operator configured. Its role decides the scopes."),
        "sessionCookie": { "type": "apiKey", "in": "cookie", "name": "authjs.session-token",
            "description": "The same as a cookie of Auth.js or Clerk, from the page's own origin; the operator may give it another name." },
        "ingestSignature": { "type": "apiKey", "in": "header", "name": "x-ingest-signature",
            "description": "`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>` with the operator's INGEST_SECRET, at most five minutes old." },
        "operatorSecret": bearer("The operator's CRON_SECRET, which the platform's scheduler sends."),
    })
}

/// One for each status, with the codes that come with it and what to do about them.
fn responses(problem: &Value) -> Value {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in Kind::all() {
        let line = format!("`{}`: {}", kind.code(), kind.hint());
        let lines = told.entry(kind.status().as_u16().to_string()).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let content = json!({ "application/problem+json": { "schema": problem } });
    let mut responses: Map<String, Value> = told
        .into_iter()
        .map(|(status, lines)| (status, json!({ "description": lines.join("\n\n"), "content": content })))
        .collect();
    let any = json!({ "description": "Whatever else went wrong, in the same form.", "content": content });
    responses.insert("default".to_owned(), any);
    Value::Object(responses)
}

/// All schemas by name. Where one type is written otherwise than it is read, what is sent is named so.
fn components(schemas: &mut Schemas, document: &mut Value) -> Value {
    let mut all = schemas.answered.take_definitions(true);
    let mut sent = Value::Object(schemas.sent.take_definitions(true));
    let names: Vec<String> = sent.as_object().unwrap().keys().cloned().collect();
    for name in names {
        if all.get(&name).is_none_or(|answered| *answered == sent[&name]) {
            continue;
        }
        let [from, to] = ["", "Sent"].map(|end| format!("#/components/schemas/{name}{end}"));
        let moved = sent.as_object_mut().unwrap().remove(&name).unwrap();
        sent[format!("{name}Sent")] = moved;
        refer(&mut sent, &from, &to);
        for operations in document["paths"].as_object_mut().unwrap().values_mut() {
            for operation in operations.as_object_mut().unwrap().values_mut() {
                refer(&mut operation["requestBody"], &from, &to);
            }
        }
    }
    if let Value::Object(sent) = sent {
        all.extend(sent);
    }
    Value::Object(all)
}

fn refer(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *text = to.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|field| refer(field, from, to)),
        _ => {}
    }
}

/// Names without `Wire`, in values and keys; no links of rustdoc in descriptions; no fields that hold nothing.
fn tidy(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ").replace("  ", "\n\n");
            if text.starts_with("#/components/schemas/") {
                *text = text.replace("Wire", "");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            fields.retain(|name, field| !(field.is_null() && name == "requestBody"));
            fields.values_mut().for_each(tidy);
            let long: Vec<String> = fields.keys().filter(|name| name.contains("Wire")).cloned().collect();
            for name in long {
                let field = fields.remove(&name).unwrap();
                let short = name.replace("Wire", "");
                assert!(fields.insert(short, field).is_none(), "{name} has two meanings without `Wire`");
            }
        }
        _ => {}
    }
}

#[test]
fn the_committed_file_is_what_the_code_says() {
    let path = root().join("public/openapi.json");
    let document = document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&document).unwrap())).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
    assert!(kept == document, "write it anew: UPDATE_OPENAPI=1 cargo test -p docent --test it openapi");
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let document = document();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        described.extend(operations.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let (described, routes) = (BTreeSet::from_iter(described), BTreeSet::from_iter(routes()));
    assert_eq!(described.difference(&routes).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "no such route");
    assert_eq!(routes.difference(&described).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not described");
}

#[test]
fn what_is_described_as_enough_is_what_the_matrix_tries() {
    let document = document();
    for (method, path, whom) in matrix::ROUTES {
        let operation = &document["paths"][path][method.to_lowercase()];
        let schemes = operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap());
        let schemes: BTreeMap<&str, &Value> = schemes.map(|(name, scopes)| (name.as_str(), &scopes[0])).collect();
        let scope = schemes.get("secretKey").copied().and_then(Value::as_str);
        let described = match (schemes.keys().next().copied(), schemes.contains_key("visitorToken"), scope) {
            (None, ..) => For::Everyone,
            (_, true, _) => For::Chat,
            (_, _, Some("read")) => For::Read,
            (_, _, Some("write")) => For::Write,
            (_, _, Some("admin")) => For::Admin,
            (Some("publishableKey"), ..) => For::Page,
            (Some("ingestSignature" | "operatorSecret"), ..) => For::Operator,
            other => panic!("{method} {path}: {other:?}"),
        };
        assert_eq!(described, *whom, "{method} {path}");
    }
}

#[test]
fn every_code_of_the_sources_is_described() {
    let document = document();
    let codes: Vec<&str> = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    for file in ["shared/app/src", "shared/llm/src", "shared/text/src"] {
        let (_, text) = product(file).into_iter().find(|(name, _)| *name == format!("{file}/error.rs")).unwrap();
        let arms = text.split("fn code(").skip(1).filter_map(|code| code.split("\n    }\n").next());
        let stated: Vec<&str> = arms.flat_map(|arms| arms.split('"').skip(1).step_by(2)).collect();
        assert!(stated.len() > 5, "{file}: {stated:?}");
        for code in stated {
            assert!(codes.contains(&code), "{code} is missing in Kind::all()");
        }
    }
}

#[test]
fn names_are_the_products_own() {
    let document = document();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}: two types have one name; rename one");
    }
}
