//! The inventory of every statement that the stores hold, and the lint that finds a table without its tenant.

use std::collections::BTreeMap;

/// The tenants' tables; the catalog's own list is compared with it.
pub const TABLES: &[&str] = &[
    "bot",
    "bot_collection",
    "chunk",
    "collection",
    "collection_delta",
    "conversation",
    "document",
    "document_version",
    "embedding",
    "embedding_cache",
    "feedback",
    "idempotency",
    "ingest_event",
    "message",
    "model_migration",
    "posting",
    "provider_key",
    "rate_bucket",
    "spend_cap",
    "spend_day",
    "stream_log",
    "tenant",
    "token",
    "usage_ledger",
    "webhook",
    "webhook_delivery",
];

/// Words that no statement of a store has a use for, or that would move a wall.
const FORBIDDEN: &[&str] = &["copy", "execute", "grant", "merge", "reset", "set_config", "truncate"];

/// What may stand behind a table without being its alias.
const KEYWORDS: &[&str] = &[
    "where",
    "set",
    "on",
    "join",
    "left",
    "inner",
    "cross",
    "full",
    "order",
    "group",
    "limit",
    "for",
    "using",
    "from",
    "returning",
    "and",
    "union",
    "values",
    "select",
    "as",
    "or",
    "having",
    "window",
    "offset",
    "lateral",
];

/// A statement as it stands in the sources; `{…}` marks what is put in when it runs.
pub struct Statement {
    pub file: String,
    pub text: String,
}

impl Statement {
    /// Whether this is what ran: the same text around whatever was put in.
    pub fn is(&self, ran: &str) -> bool {
        let mut rest = ran;
        for (place, part) in self.text.split('{').enumerate() {
            let part = if place == 0 { part } else { part.split_once('}').map_or("", |(_, after)| after) };
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

/// Every statement in `*/store*` and in the `.sql` files beside them, and every part of one that names a table.
pub fn inventory() -> Vec<Statement> {
    let mut found = Vec::new();
    for (file, text) in crate::house::product("shared/app/src") {
        if file.contains("/store") {
            for text in literals(&text) {
                let tokens = tokens(&text);
                let inserted = tokens.windows(2).any(|pair| pair[0] == "into" && is_table(&pair[1]));
                if inserted || !reads(&tokens).is_empty() {
                    found.push(Statement { file: file.clone(), text });
                }
            }
        }
    }
    let mut folders = vec![crate::house::root().join("shared/app/src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Statement { file: path.display().to_string(), text });
            }
        }
    }
    found
}

/// What is wrong with a statement: nothing, as long as every table in it is bound to the tenant.
pub fn lint(statement: &str) -> Vec<String> {
    let tokens = tokens(statement);
    let mut faults = Vec::new();
    for word in tokens.iter().filter(|token| FORBIDDEN.contains(&token.as_str())) {
        faults.push(format!("`{word}` has no place in a store"));
    }
    let (mut open, mut bare) = (BTreeMap::<String, i32>::new(), 0);
    for alias in reads(&tokens) {
        *open.entry(alias).or_default() += 1;
    }
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "tenant_id") {
        let [Some(equals), Some("$1")] = [1, 2].map(|ahead| tokens.get(at + ahead).map(String::as_str)) else {
            continue;
        };
        let qualified = at > 1 && tokens[at - 1] == ".";
        let before = at.checked_sub(if qualified { 3 } else { 1 }).map_or("", |before| &tokens[before]);
        let after = tokens.get(at + 3).map_or("", String::as_str);
        if equals != "=" || !["where", "and", "on"].contains(&before) || after == "or" {
            faults.push(format!("`{before} tenant_id {equals} $1 {after}` binds nothing for certain"));
        }
        match qualified {
            true => *open.entry(tokens[at - 2].clone()).or_default() -= 1,
            false => bare += 1,
        }
    }
    for (alias, left) in &open {
        if *left < 0 {
            faults.push(format!("`{alias}.tenant_id = $1` belongs to no table"));
        }
    }
    let left: i32 = open.values().filter(|left| **left > 0).sum();
    if left != bare {
        faults.push(format!("{left} tables wait for {bare} predicates without an alias: {open:?}"));
    }
    faults.extend(inserts(&tokens));
    faults
}

/// The aliases (or names) under which tenants' tables are read, updated or deleted from.
fn reads(tokens: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !["from", "join", "using", "update"].contains(&token.as_str()) {
            continue;
        }
        let mut next = at + 1;
        // `from a, b`: each of them is a table of its own.
        loop {
            let (name, alias, after) = table(tokens, next);
            if is_table(name) {
                found.push(alias.to_owned());
            }
            if tokens.get(after).is_none_or(|token| token != ",") {
                break;
            }
            next = after + 1;
        }
    }
    found
}

/// The table named at a place, its alias, and where it goes on.
fn table(tokens: &[String], mut at: usize) -> (&str, &str, usize) {
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    if word(at) == "public" && word(at + 1) == "." {
        at += 2;
    }
    // `is distinct from t.column` names no table.
    let name = if word(at + 1) == "." { "" } else { word(at) };
    let mut after = at + 1;
    if word(after) == "as" {
        after += 1;
    }
    let alias = word(after);
    let plain = alias.starts_with(|c: char| c.is_ascii_alphabetic()) && !KEYWORDS.contains(&alias);
    if plain { (name, alias, after + 1) } else { (name, name, at + 1) }
}

/// `{table}` stands for one of the tables.
fn is_table(name: &str) -> bool {
    name == "{table}" || TABLES.contains(&name)
}

/// An insert names `tenant_id` first and binds `$1` to it; where it may meet a row, it meets its own tenant's.
fn inserts(tokens: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    for (at, _) in tokens.iter().enumerate().filter(|(at, token)| *token == "into" && is_table(word(at + 1))) {
        let mut next = at + 2;
        if word(next) == "as" {
            next += 2;
        }
        if (word(next), word(next + 1)) != ("(", "tenant_id") {
            faults.push(format!("an insert into {} does not begin with tenant_id", word(at + 1)));
        }
        let values = next + tokens[next..].iter().position(|token| token == ")").unwrap_or(0) + 1;
        let first = if word(values) == "values" { word(values + 2) } else { word(values + 1) };
        if first != "$1" {
            faults.push(format!("an insert into {} binds {first} to its tenant", word(at + 1)));
        }
    }
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "conflict") {
        if word(at + 1) == "(" && word(at + 2) != "tenant_id" {
            faults.push("a conflict is looked for across tenants".to_owned());
        }
    }
    faults
}

/// Words, `$1`, `{…}`, quoted text, and every other character by itself; comments are left out.
fn tokens(statement: &str) -> Vec<String> {
    let plain: Vec<&str> = statement.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let plain = plain.join("\n").to_lowercase();
    let mut letters = plain.chars().peekable();
    let mut found = Vec::new();
    while let Some(letter) = letters.next() {
        let mut token = letter.to_string();
        let inside = |letter: char| letter.is_alphanumeric() || "_{}$".contains(letter);
        if letter == '\'' {
            token.extend(letters.by_ref().take_while(|letter| *letter != '\''));
        } else if inside(letter) {
            while let Some(more) = letters.next_if(|letter| inside(*letter)) {
                token.push(more);
            }
        } else if letter.is_whitespace() {
            continue;
        }
        found.push(token);
    }
    found
}

/// The string literals of a Rust source, comments left out.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        if here.starts_with("//") {
            rest = here.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = here.strip_prefix("'\"'") {
            rest = after;
        } else if let Some(inside) = here.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let end = match before[..before.len() - hashes].ends_with('r') {
                true => inside.find(&format!("\"{}", "#".repeat(hashes))).unwrap_or(inside.len()),
                false => closing(inside),
            };
            found.push(inside[..end].to_owned());
            rest = inside.get(end + 1..).unwrap_or_default();
        } else {
            rest = &here[1..];
        }
    }
    found
}

/// Where a literal with escapes ends.
fn closing(inside: &str) -> usize {
    let mut escaped = false;
    let end = inside.char_indices().find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(inside.len(), |(at, _)| at)
}

#[test]
fn the_lint_bites() {
    for good in [
        "select * from document where tenant_id = $1 and id = $2",
        "select 1 from document d join chunk c on c.tenant_id = $1 and c.id = d.id where d.tenant_id = $1",
        "select 1 from conversation c, message as m where c.tenant_id = $1 and m.tenant_id = $1",
        "select extract(epoch from d.lease_until) from document d where d.tenant_id = $1 and a is distinct from d.b",
        "insert into token (tenant_id, id) values ($1, $2) on conflict (tenant_id, id) do update set name = $3",
        "delete from {table} r using document d where r.tenant_id = $1 and d.tenant_id = $1",
        "select 1 from held, unnest($3) as wanted -- from document",
    ] {
        assert_eq!(lint(good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "select * from document where id = $2",
        "select * from document where tenant_id = $10",
        "select * from document where tenant_id = $1 or true",
        "select * from document where not tenant_id = $1",
        "select 1 from document d join chunk c on c.id = d.id where d.tenant_id = $1 and d.tenant_id = $1",
        "select 1 from conversation c, message m where c.tenant_id = $1",
        "select 1 from conversation c, message m where c.tenant_id = $1 and c.tenant_id = $1",
        "update bot set name = $2 where id = $3",
        "insert into token (id, tenant_id) values ($1, $2)",
        "insert into token (tenant_id, id) values ($2, $1)",
        "insert into token (tenant_id, id) select t.tenant_id, $2 from tenant t where t.tenant_id = $1",
        "insert into token (tenant_id, id) values ($1, $2) on conflict (id) do nothing",
        "select set_config('app.tenant_id', $2, true)",
    ] {
        assert!(!lint(bad).is_empty(), "{bad}");
    }
}

/// Each reference to a tenant's table carries the tenant, in every statement there is.
#[test]
fn every_statement_names_its_tenant() {
    let inventory = inventory();
    assert!(inventory.len() > 50, "only {} statements were found: the test reads the wrong places", inventory.len());
    for Statement { file, text } in inventory {
        // A statement that begins with another one's text has its tables there.
        let faults = lint(&text);
        assert!(faults.is_empty(), "{file}: {faults:#?} in: {text}");
    }
}
