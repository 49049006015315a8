//! Hostile requests over every route: what somebody sends who knows the names and ids of all other tenants.

use std::sync::Mutex;

use base64::Engine;
use docent::auth::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::PAGE;
use crate::canary::handle;
use crate::dice::Dice;
use crate::world::{CRON_SECRET, Client, INGEST_SECRET};

/// Every route there is; a test compares it with the sources.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/health"),
    ("GET", "/api/health/ping"),
    ("GET", "/api/health/ready"),
    ("GET", "/api/v1/health"),
    ("GET", "/health"),
    ("GET", "/api/keys"),
    ("GET", "/api/keys/{provider}"),
    ("PUT", "/api/keys/{provider}"),
    ("DELETE", "/api/keys/{provider}"),
    ("POST", "/api/keys/{provider}/check"),
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/{id}"),
    ("POST", "/api/tokens/visitor"),
    ("GET", "/api/bots"),
    ("POST", "/api/bots"),
    ("GET", "/api/bots/{id}"),
    ("PATCH", "/api/bots/{id}"),
    ("DELETE", "/api/bots/{id}"),
    ("GET", "/api/bots/{id}/gaps"),
    ("GET", "/api/widget/{id}"),
    ("GET", "/api/usage"),
    ("GET", "/api/usage/caps"),
    ("PUT", "/api/usage/caps"),
    ("POST", "/api/search"),
    ("GET", "/api/bots/{id}/feedback"),
    ("GET", "/api/conversations"),
    ("GET", "/api/conversations/search"),
    ("GET", "/api/conversations/{id}"),
    ("PATCH", "/api/conversations/{id}"),
    ("DELETE", "/api/conversations/{id}"),
    ("GET", "/api/conversations/{id}/export"),
    ("PUT", "/api/conversations/{id}/messages/{message}/feedback"),
    ("DELETE", "/api/conversations/{id}/messages/{message}/feedback"),
    ("POST", "/api/chat"),
    ("GET", "/api/chat/{id}/stream"),
    ("POST", "/api/chat/{id}/stop"),
    ("POST", "/api/upload"),
    ("POST", "/api/upload/{id}/complete"),
    ("GET", "/api/documents"),
    ("GET", "/api/documents/{id}"),
    ("DELETE", "/api/documents/{id}"),
    ("GET", "/api/documents/{id}/events"),
    ("PATCH", "/api/documents/{id}"),
    ("GET", "/api/documents/{id}/versions"),
    ("POST", "/api/documents/{id}/restore"),
    ("POST", "/api/documents/{id}/redrive"),
    ("POST", "/api/documents/{id}/refresh"),
    ("POST", "/api/documents"),
    ("POST", "/api/upload/{id}/sign"),
    ("GET", "/api/collections"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{id}"),
    ("POST", "/api/collections"),
    ("GET", "/api/collections/migration"),
    ("POST", "/api/collections/migration"),
    ("DELETE", "/api/collections/migration"),
    ("POST", "/api/collections/migration/switch"),
    ("POST", "/api/collections/migration/rollback"),
    ("GET", "/api/webhooks"),
    ("POST", "/api/webhooks"),
    ("GET", "/api/webhooks/{id}"),
    ("PATCH", "/api/webhooks/{id}"),
    ("DELETE", "/api/webhooks/{id}"),
    ("POST", "/api/ingest"),
    ("GET", "/api/ingest/sweep"),
    ("POST", "/api/ingest/sweep"),
];

/// A tenant, as it is known to itself and to its attackers.
pub struct Member {
    pub number: usize,
    pub client: Client,
    pub documents: Vec<Uuid>,
    pub bots: Vec<Uuid>,
    pub tokens: Vec<Uuid>,
    pub others: Vec<Uuid>,
    /// A publishable token, which everybody knows who opens its page, and one of the visitors that it let in.
    pub page: String,
    pub visitor: String,
    /// Made by itself in the meantime: what it may delete without losing its canaries.
    pub spare: Mutex<Vec<String>>,
}

impl Member {
    pub fn tenant(&self) -> TenantId {
        self.client.tenant
    }

    fn of_kind(&self, route: &str) -> &[Uuid] {
        match route {
            route if route.starts_with("/api/bots") || route.starts_with("/api/widget") => &self.bots,
            route if route.starts_with("/api/tokens") => &self.tokens,
            route if route.starts_with("/api/webhooks") => &self.others,
            _ => &self.documents,
        }
    }
}

pub struct Request {
    pub method: &'static str,
    pub route: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// Whose answers it may see; nobody's, when its credential is forged or absent.
    pub asker: Option<usize>,
}

impl Request {
    /// Everything that may come back without being a leak: whoever shows a visitor's token has read what it says.
    pub fn sent(&self) -> String {
        let headers: Vec<&str> = self.headers.iter().map(|(_, value)| value.as_str()).collect();
        let text = format!("{} {} {}", self.path, headers.join(" "), self.body.as_deref().unwrap_or_default());
        let said: Vec<String> = text.split("docent_vt_").skip(1).filter_map(inside).collect();
        text + &said.join(" ")
    }
}

/// The payload of a visitor's token, behind its tenant.
fn inside(token: &str) -> Option<String> {
    let (payload, _) = token.split_once('_')?.1.split_once('.')?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    Some(String::from_utf8_lossy(&payload).into_owned())
}

/// The next request of a random tenant against another one.
pub fn next(dice: &mut Dice, members: &[Member]) -> Request {
    let asker = dice.pick(members);
    let victim = loop {
        let victim = dice.pick(members);
        if victim.number != asker.number {
            break victim;
        }
    };
    let &(method, route) = dice.pick(ROUTES);
    let path = path(dice, method, route, asker, victim);
    let body = (method != "GET").then(|| body(dice, method, route, asker, victim)).flatten();
    let body = body.map(|body| if dice.percent(2) { broken(dice, &body) } else { body });
    let (credential, asker) = credential(dice, route, asker, victim);
    let mut headers: Vec<(&'static str, String)> = credential.into_iter().collect();
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    if dice.percent(70) {
        headers.push(("origin", PAGE.to_owned()));
    }
    if dice.percent(20) {
        headers.push(stray_header(dice, victim));
    }
    let mut request = Request { method, route, path, headers, body, asker };
    if route.starts_with("/api/ingest") {
        as_the_platform(dice, &mut request);
    }
    request
}

/// Its own token most of the time, or one of its page's; else one whose tenant was exchanged, another scheme, or nothing.
fn credential(
    dice: &mut Dice,
    route: &str,
    asker: &Member,
    victim: &Member,
) -> (Option<(&'static str, String)>, Option<usize>) {
    let own = asker.client.token.clone().unwrap_or_default();
    let bearer = |text: String| Some(("authorization", format!("Bearer {text}")));
    let page = ["/api/tokens/visitor", "/api/widget/{id}"].contains(&route);
    let visits = route.starts_with("/api/chat") || route.starts_with("/api/conversations");
    match dice.below(100) {
        0..=59 if page => (bearer(asker.page.clone()), Some(asker.number)),
        // What a page shows of its bot is everybody's who has opened it.
        60..=69 if route == "/api/widget/{id}" => (bearer(victim.page.clone()), Some(victim.number)),
        60..=69 if page => (bearer(victim.page.clone()), None),
        0..=29 if visits => (bearer(asker.visitor.clone()), Some(asker.number)),
        0..=77 => (bearer(own), Some(asker.number)),
        78..=80 => (bearer(asker.visitor.clone()), Some(asker.number)),
        81 => (bearer(asker.page.clone()), Some(asker.number)),
        82..=86 => (bearer(forged(&own, victim.tenant())), None),
        87 => (bearer(forged(&asker.page, victim.tenant())), None),
        88..=89 => (bearer(renamed(&asker.visitor, asker, victim)), None),
        90..=91 => (bearer(probe(dice, victim)), None),
        92..=93 => (bearer(victim.tenant().uuid().to_string()), None),
        94..=95 => (Some(("authorization", format!("Basic {own}"))), None),
        96..=97 => (Some(("cookie", format!("authjs.session-token={own}; token={own}"))), None),
        _ => (None, None),
    }
}

/// A visitor's token under another tenant's name; its signature is still the first one's.
fn renamed(visitor: &str, asker: &Member, victim: &Member) -> String {
    let [own, other] = [asker, victim].map(|member| member.tenant().uuid().simple().to_string());
    visitor.replace(&own, &other)
}

/// The asker's secret under another tenant's name, with the checksum that belongs to it.
fn forged(token: &str, tenant: TenantId) -> String {
    let secret = token.rsplit('_').next().unwrap_or_default();
    let random = &secret[..secret.len().saturating_sub(6)];
    let body = format!("{}{}_{random}", &token[..token.len().min("docent_sk_".len())], tenant.uuid().simple());
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc = (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 });
    }
    let (mut rest, mut sum) = (!crc, [b'0'; 6]);
    for digit in sum.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize];
        rest /= 62;
    }
    body + &String::from_utf8_lossy(&sum)
}

fn path(dice: &mut Dice, method: &str, route: &str, asker: &Member, victim: &Member) -> String {
    let value = match () {
        () if route.contains("{provider}") => {
            (*dice.pick(&["openai", "mistral", "anthropic", "ollama", "../x"])).into()
        }
        // What is deleted is the asker's own: by this name it keeps nothing that it misses.
        () if method == "DELETE" && route == "/api/conversations/{id}" => format!("talk-{}", handle(victim.number)),
        () if route.starts_with("/api/conv") || route.starts_with("/api/chat/") => talk(dice, asker, victim),
        () => id(dice, method, route, asker, victim),
    };
    let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut path = route.replace("{provider}", &encoded).replace("{id}", &encoded);
    if path.contains("{message}") {
        path = path.replace("{message}", &dice.pick(&victim.others).to_string());
    }
    if route == "/api/conversations/search" {
        let wanted = if dice.percent(50) { handle(asker.number) } else { word(dice, victim) };
        path =
            format!("{path}?q={}", percent_encoding::utf8_percent_encode(&wanted, percent_encoding::NON_ALPHANUMERIC));
    }
    if method == "GET" && dice.percent(30) {
        let after = dice.pick(&["limit=200", "limit=-1", "cursor=AAAA", "tenant_id=", "tenant=", "q="]);
        path = format!("{path}{}{after}", if path.contains('?') { '&' } else { '?' });
    }
    path
}

/// An id that is not the asker's, as a rule.
fn id(dice: &mut Dice, method: &str, route: &str, asker: &Member, victim: &Member) -> String {
    let reads = method == "GET";
    match dice.below(100) {
        0..=54 => dice.pick(victim.of_kind(route)).to_string(),
        55..=64 => dice.pick(&victim.others).to_string(),
        65..=79 if reads => dice.pick(asker.of_kind(route)).to_string(),
        65..=79 => asker.spare.lock().unwrap().pop().unwrap_or_else(|| Uuid::from_u128(7).to_string()),
        80..=86 => probe(dice, victim),
        87..=92 => format!("t/{}/{}/1", victim.tenant().uuid().simple(), dice.pick(&victim.documents).simple()),
        _ => format!("{:032x}", u128::from(dice.next()) << 64 | u128::from(dice.next())),
    }
}

/// The client's own id of a conversation: everybody may use everybody's.
fn talk(dice: &mut Dice, asker: &Member, victim: &Member) -> String {
    match dice.below(10) {
        0..=3 => format!("talk-{}", handle(victim.number)),
        4..=7 => format!("talk-{}", handle(asker.number)),
        8 => word(dice, victim),
        _ => format!("talk-{}", dice.below(1000)),
    }
}

fn body(dice: &mut Dice, method: &str, route: &str, asker: &Member, victim: &Member) -> Option<String> {
    let foreign_bot = if dice.percent(50) { json!(dice.pick(&victim.bots)) } else { Value::Null };
    if let Some(body) = of_library(dice, (method, route), asker, victim) {
        return Some(body.to_string());
    }
    let body = match (method, route) {
        ("POST", "/v1/responses") => {
            let input = format!("Where does the {} nest?", handle(victim.number));
            json!({ "model": if foreign_bot.is_null() { json!("default") } else { foreign_bot }, "input": input })
        }
        ("POST", "/v1/chat/completions") => {
            let content = format!("Where does the {} nest? {}", handle(victim.number), word(dice, victim));
            json!({ "model": if foreign_bot.is_null() { json!("default") } else { foreign_bot }, "stream": dice.percent(50),
                    "messages": [{ "role": "user", "content": content }] })
        }
        ("POST" | "PATCH", "/api/bots" | "/api/bots/{id}") => {
            let collections = if dice.percent(50) { vec![*dice.pick(&victim.others)] } else { vec![] };
            let mut bot = json!({ "name": word(dice, victim), "instructions": word(dice, victim) });
            if !collections.is_empty() {
                bot["collections"] = json!(collections);
            }
            bot
        }
        ("POST", "/api/tokens") if dice.percent(50) => {
            json!({ "name": word(dice, victim), "publishable": true, "origins": [PAGE], "bot": foreign_bot })
        }
        ("POST", "/api/tokens") => json!({ "name": word(dice, victim), "scopes": ["read"] }),
        ("POST", "/api/tokens/visitor") => visitor(dice, asker, victim),
        ("PUT", "/api/usage/caps") => {
            let whose = format!("token:{}", dice.pick(&asker.tokens));
            json!({ "caps": { *dice.pick(&["tenant", "visitor", whose.as_str()]): "9.5" } })
        }
        ("PUT", _) => {
            let place = dice.pick(&["http://127.0.0.1:9/v1", "http://169.254.169.254/", "file:///etc/passwd"]);
            json!({ "key": format!("sk-{}", word(dice, victim)), "baseUrl": place })
        }
        ("POST", "/api/search") => json!({ "query": question(dice, asker, victim), "bot": foreign_bot }),
        ("POST", "/api/chat") => {
            let text = match dice.percent(50) {
                true => {
                    format!("Where does the {} nest?", handle(if dice.percent(70) { victim } else { asker }.number))
                }
                false => word(dice, victim),
            };
            let trigger = if dice.percent(20) { "regenerate-message" } else { "submit-message" };
            let message = json!({ "id": "m", "role": "user", "parts": [{ "type": "text", "text": text }] });
            json!({ "id": talk(dice, asker, victim), "messages": [message], "trigger": trigger, "bot": foreign_bot })
        }
        ("POST", "/api/ingest") => {
            let key = id(dice, method, route, asker, victim);
            let event = json!({ "action": "PutObject", "bucket": "docent", "object": { "key": key } });
            json!({ "messages": [{ "id": word(dice, victim), "body": event }] })
        }
        ("DELETE", _) if dice.percent(95) => return None,
        // A route that nothing above knows: every field that some body has.
        _ => json!({ "id": id(dice, method, route, asker, victim), "tenant": victim.tenant().uuid(),
            "name": word(dice, victim), "bot": foreign_bot, "query": word(dice, victim) }),
    };
    Some(body.to_string())
}

/// Bodies about documents and whom to tell of them, and about conversations.
fn of_library(dice: &mut Dice, (method, route): (&str, &str), asker: &Member, victim: &Member) -> Option<Value> {
    Some(match (method, route) {
        ("POST", "/api/upload") => {
            let name = format!("{}.txt", word(dice, victim));
            let policy = dice.pick(&["keep", "skip", "replace", "version"]);
            let mut new = json!({ "filename": name, "size": 1 + dice.below(5000), "contentType": "text/plain", "onDuplicate": policy });
            if dice.percent(20) {
                new["collectionId"] = json!(dice.pick(&victim.others));
            }
            new
        }
        ("PATCH", "/api/documents/{id}") => {
            json!({ "title": word(dice, victim), "collectionId": dice.pick(&victim.others), "metadata": { "of": word(dice, victim) } })
        }
        ("POST", "/api/documents/{id}/restore") => json!({ "version": 1 + dice.below(3) }),
        ("POST", "/api/documents") => {
            let place =
                dice.pick(&["http://127.0.0.1:9/a.txt", "http://169.254.169.254/", "https://user@example.com/"]);
            json!({ "url": place, "filename": word(dice, victim), "collectionId": dice.pick(&victim.others) })
        }
        ("POST", "/api/upload/{id}/sign") => {
            let method = dice.pick(&["PUT", "POST", "GET", "DELETE"]);
            json!({ "method": method, "key": id(dice, "GET", route, asker, victim), "uploadId": word(dice, victim) })
        }
        ("POST" | "PATCH", "/api/webhooks" | "/api/webhooks/{id}") => {
            json!({ "url": dice.pick(&["http://127.0.0.1:9/hook", "https://169.254.169.254/", "https://user@example.com/"]) })
        }
        ("PUT", "/api/conversations/{id}/messages/{message}/feedback") => {
            json!({ "rating": *dice.pick(&["up", "down", "sideways"]), "comment": word(dice, victim) })
        }
        ("PATCH", "/api/conversations/{id}") => json!({ "title": word(dice, victim) }),
        ("POST", "/api/collections") => json!({ "name": word(dice, victim) }),
        ("POST", "/api/collections/migration") => json!({ "to": word(dice, victim) }),
        _ => return None,
    })
}

/// Somebody new, somebody whom nobody signed for, or a visitor of one's own or of somebody else who comes back.
fn visitor(dice: &mut Dice, asker: &Member, victim: &Member) -> Value {
    let expires = docent::clock::Clock::system().now().as_second() + 60;
    match dice.below(4) {
        0 => json!({ "nickname": word(dice, victim) }),
        1 => json!({ "identity": { "id": handle(victim.number), "expiresAt": expires, "signature": "00".repeat(32) } }),
        2 => json!({ "renew": victim.visitor }),
        _ => json!({ "renew": asker.visitor }),
    }
}

/// What is asked, and kept nowhere: it may name others' ids.
fn question(dice: &mut Dice, asker: &Member, victim: &Member) -> String {
    match dice.below(10) {
        0..=4 => format!("Where does the {} nest?", handle(victim.number)),
        5..=6 => handle(asker.number),
        7 => "canary".to_owned(),
        _ => probe(dice, victim),
    }
}

/// Text that may be stored: it names nothing that belongs to anybody.
fn word(dice: &mut Dice, victim: &Member) -> String {
    let name = handle(victim.number);
    match dice.below(14) {
        0..=3 => name,
        4 => format!("' or tenant_id is not null or '{name}' = '"),
        5 => "'; reset role; set row_security = off; --".to_owned(),
        6 => "$1".to_owned(),
        7 => "tenant_id = $1".to_owned(),
        8 => "\\x00\u{0}".to_owned(),
        9 => "{{constructor}} ${jndi:ldap://127.0.0.1:1/x} <script>".to_owned(),
        10 => "\u{202e}\u{1f426}\u{300}".repeat(1 + dice.below(40)),
        11 => "../../t/1".to_owned(),
        12 => "a".repeat(dice.below(9000)),
        _ => format!("{name}'); select set_config('app.tenant_id', '{}', false); --", dice.below(200)),
    }
}

/// Text that is never stored, with the victim's ids in it.
fn probe(dice: &mut Dice, victim: &Member) -> String {
    let tenant = victim.tenant().uuid();
    match dice.below(5) {
        0 => format!("'; select set_config('app.tenant_id', '{tenant}', false); --"),
        1 => format!("{tenant}' or '1' = '1"),
        2 => format!("t/{}/", tenant.simple()),
        3 => tenant.to_string(),
        _ => word(dice, victim),
    }
}

/// Valid up to some byte.
fn broken(dice: &mut Dice, body: &str) -> String {
    let mut at = dice.below(body.len());
    while !body.is_char_boundary(at) {
        at -= 1;
    }
    body[..at].to_owned()
}

fn stray_header(dice: &mut Dice, victim: &Member) -> (&'static str, String) {
    match dice.below(6) {
        0 => ("x-tenant-id", victim.tenant().uuid().to_string()),
        1 => ("if-none-match", "*".to_owned()),
        // The same few keys for everybody: nobody may be answered with another's answer.
        2 => ("idempotency-key", format!("key-{}", dice.below(20))),
        3 => ("x-request-id", victim.tenant().uuid().simple().to_string()),
        4 => ("last-event-id", "0-0-0".to_owned()),
        _ => ("x-forwarded-for", format!("10.0.0.{}", dice.below(255))),
    }
}

/// Ingestion's addresses are the platform's: half of the time its secret is known, and still nobody's bytes may come back.
fn as_the_platform(dice: &mut Dice, request: &mut Request) {
    request.asker = None;
    request.headers.retain(|(name, _)| *name != "authorization");
    match (request.route, dice.percent(50)) {
        ("/api/ingest", true) => {
            let now = docent::clock::Clock::system().now().as_second();
            let body = request.body.as_deref().unwrap_or_default();
            let signature = crate::ingest_door::hmac(INGEST_SECRET, &format!("{now}.{body}"));
            request.headers.push(("x-ingest-signature", format!("t={now},v1={signature}")));
        }
        ("/api/ingest", false) => request.headers.push(("x-ingest-signature", "t=1,v1=00".to_owned())),
        // A sweep looks at everybody's library and takes its time: one in a hundred is let in.
        (_, true) if dice.percent(2) => request.headers.push(("authorization", format!("Bearer {CRON_SECRET}"))),
        _ => request.headers.push(("authorization", "Bearer cron-secret-of-somebody".to_owned())),
    }
}

/// A route that is missing above would never be attacked.
#[test]
fn every_route_is_attacked() {
    let stated = crate::house::routes();
    for (method, path) in &stated {
        assert!(ROUTES.contains(&(method, path)), "{method} {path} is not in the list of what is attacked");
    }
    for (method, path) in ROUTES {
        assert!(stated.iter().any(|(m, p)| m == method && p == path), "{method} {path} does not exist any more");
    }
}
