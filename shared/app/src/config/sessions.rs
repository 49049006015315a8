//! Whose people may sign in: Auth.js, Clerk and any issuer of OpenID Connect, under the names of variables that their
//! front ends already have.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use url::{Host, Url};

use super::{Environment, Error};
use crate::auth::Role;
use crate::auth::session::{Algorithm, Claim, Key, Place, Places};

/// A secret of Auth.js may be as short as people make it, but not guessable.
const MIN_AUTH_SECRET: usize = 16;
/// HS256 wants a key as long as its hash (RFC 7518 §3.2).
const MIN_SHARED_SECRET: usize = 32;
/// Claims that the person signing in may write: whoever chose an organisation by them would let people choose theirs.
const SELF_WRITTEN: [&str; 3] = ["/user_metadata", "/unsafe_metadata", "/raw_user_meta_data"];
const SETTINGS: [&str; 8] =
    ["ISSUER", "AUDIENCE", "AZP", "ORG_CLAIM", "ROLE_CLAIM", "SECRET", "JWKS_URL", "ALGORITHMS"];
const PUBLISHABLE: [&str; 2] = ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"];

/// All ways to sign in that are configured; none is the default.
#[derive(Clone)]
pub struct Sessions {
    /// `AUTH_DEFAULT_ROLE`: of members of an organisation whose token names none that we know; `viewer` unless set.
    pub default_role: Role,
    pub auth_js: Option<AuthJs>,
    pub issuers: Vec<Issuer>,
}

#[derive(Clone)]
pub struct AuthJs {
    /// `AUTH_SECRET`, one or a JSON array of several, `AUTH_SECRET_1` to `_3`, `NEXTAUTH_SECRET`: each opens sessions.
    pub secrets: Vec<SecretString>,
    /// `AUTH_SESSIONS=database` (else `jwt`): sessions are rows of the front end, which costs one more trip each time.
    pub database: bool,
    /// `AUTH_COOKIE`: the session cookie's name where the front end has changed it.
    pub cookie: Option<String>,
    /// `AUTH_ORG_CLAIM`, `AUTH_ROLE_CLAIM`: what the front end's `jwt` callback adds to the token.
    pub places: Places,
}

/// `OIDC_ISSUER` and the settings beside it, or `OIDC_<NAME>_ISSUER` and so on for one of several; Clerk has its own.
#[derive(Clone)]
pub struct Issuer {
    /// `…_ISSUER` (`CLERK_ISSUER`, or what the publishable key says): `iss` must be exactly this.
    pub name: String,
    /// Found by discovery, unless there is `…_JWKS_URL` or `…_SECRET` (HS256; a secret and published keys exclude each
    /// other). `CLERK_JWT_KEY`: Clerk's key in PEM, which saves asking for it.
    pub keys: IssuerKeys,
    /// `…_ALGORITHMS`: those of a key pair unless set.
    pub algorithms: Vec<Algorithm>,
    /// `…_AUDIENCE`: one of them must stand in `aud`.
    pub audience: Vec<String>,
    /// `…_AZP` (`CLERK_AUTHORIZED_PARTIES`): one of them must stand in `azp` or `client_id`. Either this or an audience
    /// is needed: otherwise every application of the issuer would be let in.
    pub parties: Vec<String>,
    pub dialect: Dialect,
}

#[derive(Clone)]
pub enum IssuerKeys {
    Published(Place),
    Fixed(Arc<Key>),
}

#[derive(Clone)]
pub enum Dialect {
    Clerk,
    /// `…_ORG_CLAIM`, `…_ROLE_CLAIM`.
    Oidc(Places),
}

impl Sessions {
    pub fn read(environment: &Environment) -> Result<Sessions, Error> {
        let default_role = match environment.get("AUTH_DEFAULT_ROLE") {
            None => Role::Viewer,
            Some(text) => Role::parse(text).ok_or_else(|| {
                Error::new("AUTH_DEFAULT_ROLE", "is not a role.", "Write owner, editor, viewer or visitor.")
            })?,
        };
        let mut issuers: Vec<Issuer> = Vec::new();
        for group in groups(environment)? {
            let issuer = oidc(environment, &group)?;
            if issuers.iter().any(|other| other.name == issuer.name) {
                return Err(Error::new(&format!("{group}ISSUER"), "is given twice.", "Give each issuer once."));
            }
            issuers.push(issuer);
        }
        if let Some(clerk) = clerk(environment)? {
            if issuers.iter().any(|other| other.name == clerk.name) {
                return Err(Error::new("CLERK_ISSUER", "is also an OIDC issuer.", "Give each issuer once."));
            }
            issuers.push(clerk);
        }
        Ok(Sessions { default_role, auth_js: auth_js(environment)?, issuers })
    }
}

fn auth_js(environment: &Environment) -> Result<Option<AuthJs>, Error> {
    let mut secrets = Vec::new();
    for name in ["AUTH_SECRET", "AUTH_SECRET_1", "AUTH_SECRET_2", "AUTH_SECRET_3", "NEXTAUTH_SECRET"] {
        let Some(text) = environment.get(name) else { continue };
        let several = match text.starts_with('[') {
            false => vec![text.to_owned()],
            true => serde_json::from_str(text)
                .map_err(|_| Error::new(name, "begins like a list and is none.", "Write [\"newest\",\"older\"]."))?,
        };
        for secret in several {
            secrets.push(long_enough(name, &secret, MIN_AUTH_SECRET)?);
        }
    }
    let database = match environment.get("AUTH_SESSIONS") {
        Some("database") => true,
        None | Some("jwt") => false,
        Some(_) => return Err(Error::new("AUTH_SESSIONS", "is not a strategy of Auth.js.", "Write jwt or database.")),
    };
    let places = places(environment, "AUTH_")?;
    if database && places.organisation.is_some() {
        let problem = "is set, but sessions that lie in a database have no claims.";
        return Err(Error::new("AUTH_ORG_CLAIM", problem, "Remove it, or set AUTH_SESSIONS=jwt."));
    }
    if secrets.is_empty() && !database {
        return match ["AUTH_SESSIONS", "AUTH_COOKIE", "AUTH_ORG_CLAIM", "AUTH_ROLE_CLAIM"]
            .into_iter()
            .find(|name| environment.get(name).is_some())
        {
            None => Ok(None),
            Some(name) => Err(Error::new(name, "is set without AUTH_SECRET.", "Give the front end's AUTH_SECRET.")),
        };
    }
    let cookie = environment.get("AUTH_COOKIE").map(str::to_owned);
    Ok(Some(AuthJs { secrets, database, cookie, places }))
}

fn clerk(environment: &Environment) -> Result<Option<Issuer>, Error> {
    let mut issuer =
        environment.get("CLERK_ISSUER").map(|text| address(environment, "CLERK_ISSUER", text)).transpose()?;
    for name in PUBLISHABLE {
        let Some(key) = environment.get(name) else { continue };
        let host = frontend(key)
            .ok_or_else(|| Error::new(name, "is not a publishable key.", "Copy pk_live_… or pk_test_… from Clerk."))?;
        let found = address(environment, name, &format!("https://{host}"))?;
        if issuer.as_ref().is_some_and(|issuer| *issuer != found) {
            return Err(Error::new(name, "belongs to another instance of Clerk.", "Give the keys of one instance."));
        }
        issuer = Some(found);
    }
    let parties = list(environment, "CLERK_AUTHORIZED_PARTIES");
    let Some(name) = issuer else {
        let lonely = ["CLERK_AUTHORIZED_PARTIES", "CLERK_JWT_KEY", "CLERK_AUDIENCE"];
        return match lonely.into_iter().find(|name| environment.get(name).is_some()) {
            None => Ok(None),
            Some(name) => Err(Error::new(name, "is set without CLERK_ISSUER.", "Give Clerk's frontend API address.")),
        };
    };
    if parties.is_empty() {
        let remedy = "List the origins of your front end, e.g. https://app.example.com.";
        return Err(Error::new("CLERK_AUTHORIZED_PARTIES", "is not set.", remedy));
    }
    let origin = |text: &str| Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    if let Some(wrong) = parties.iter().find(|party| *party != "native" && !origin(party)) {
        let remedy = "Write https://app.example.com without a path, or `native`.";
        return Err(Error::new("CLERK_AUTHORIZED_PARTIES", format!("holds `{wrong}`, which is no origin."), remedy));
    }
    let keys = match environment.get("CLERK_JWT_KEY") {
        Some(pem) => IssuerKeys::Fixed(Arc::new(Key::from_pem(pem).ok_or_else(|| {
            Error::new("CLERK_JWT_KEY", "is not an RSA public key in PEM.", "Copy the JWKS public key from Clerk.")
        })?)),
        None => {
            let url = format!("{name}/.well-known/jwks.json");
            IssuerKeys::Published(Place::Address(web(environment, "CLERK_ISSUER", &url)?))
        }
    };
    let audience = list(environment, "CLERK_AUDIENCE");
    Ok(Some(Issuer { name, keys, algorithms: Algorithm::RSA.to_vec(), audience, parties, dialect: Dialect::Clerk }))
}

/// `pk_test_` or `pk_live_`, then base64 of the frontend API's host and a `$`.
fn frontend(key: &str) -> Option<String> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = key.strip_prefix("pk_live_").or_else(|| key.strip_prefix("pk_test_"))?;
    let host = String::from_utf8(GeneralPurpose::new(&STANDARD, LENIENT).decode(text).ok()?).ok()?;
    host.strip_suffix('$').filter(|host| !host.is_empty()).map(str::to_owned)
}

/// The prefixes of the issuers that are spoken of: `OIDC_`, `OIDC_<NAME>_`.
fn groups(environment: &Environment) -> Result<BTreeSet<String>, Error> {
    let mut groups = BTreeSet::new();
    for rest in environment.names_with("OIDC_") {
        let variable = format!("OIDC_{rest}");
        let named =
            SETTINGS.iter().find_map(|setting| variable.strip_suffix(setting).filter(|group| group.ends_with('_')));
        let (Some(group), Some(_)) = (named, environment.get(&variable)) else { continue };
        if environment.get(&format!("{group}ISSUER")).is_none() {
            return Err(Error::new(&variable, format!("is set without {group}ISSUER."), "Set both, or none."));
        }
        groups.insert(group.to_owned());
    }
    Ok(groups)
}

fn oidc(environment: &Environment, group: &str) -> Result<Issuer, Error> {
    let variable = |setting: &str| format!("{group}{setting}");
    let name = variable("ISSUER");
    let issuer = address(environment, &name, environment.required(&name, "Give the issuer's address.")?)?;
    let (secret, jwks) = (variable("SECRET"), variable("JWKS_URL"));
    let keys = match (environment.get(&secret), environment.get(&jwks)) {
        (Some(_), Some(_)) => {
            let problem = format!("is set together with {jwks}.");
            return Err(Error::new(&secret, problem, "An issuer signs with a shared secret or with published keys."));
        }
        (Some(text), None) => IssuerKeys::Fixed(Arc::new(Key::shared(long_enough(&secret, text, MIN_SHARED_SECRET)?))),
        (None, Some(text)) => IssuerKeys::Published(Place::Address(web(environment, &jwks, text)?)),
        (None, None) => IssuerKeys::Published(Place::Discovery { issuer: issuer.clone() }),
    };
    let (audience, parties) = (list(environment, &variable("AUDIENCE")), list(environment, &variable("AZP")));
    if audience.is_empty() && parties.is_empty() {
        let remedy =
            format!("Give the audience of your tokens, or in {} the applications they are for.", variable("AZP"));
        return Err(Error::new(&variable("AUDIENCE"), "is not set.", remedy));
    }
    let possible: &[Algorithm] = match environment.get(&secret) {
        Some(_) => &[Algorithm::Hs256],
        None => &Algorithm::ASYMMETRIC,
    };
    let mut algorithms = Vec::new();
    for text in list(environment, &variable("ALGORITHMS")) {
        algorithms.push(Algorithm::parse(&text).filter(|found| possible.contains(found)).ok_or_else(|| {
            let remedy = format!("Without a secret: RS256, RS384, RS512, ES256, ES384, EdDSA; with {secret}: HS256.");
            Error::new(&variable("ALGORITHMS"), format!("holds `{text}`, which this issuer cannot use."), remedy)
        })?);
    }
    if algorithms.is_empty() {
        algorithms = possible.to_vec();
    }
    let dialect = Dialect::Oidc(places(environment, group)?);
    Ok(Issuer { name: issuer, keys, algorithms, audience, parties, dialect })
}

fn places(environment: &Environment, group: &str) -> Result<Places, Error> {
    let claim = |setting: &str| {
        let variable = format!("{group}{setting}");
        match environment.get(&variable) {
            Some(text) if SELF_WRITTEN.iter().any(|own| text.starts_with(own)) => Err(Error::new(
                &variable,
                "names what people write about themselves.",
                "Use a claim that only your server or the issuer writes, e.g. /app_metadata/….",
            )),
            found => Ok(found.map(|text| Claim(text.to_owned()))),
        }
    };
    Ok(Places { organisation: claim("ORG_CLAIM")?, role: claim("ROLE_CLAIM")? })
}

/// An issuer's name is compared byte for byte, and is an address without anything that could be written differently.
fn address(environment: &Environment, variable: &str, text: &str) -> Result<String, Error> {
    let url = web(environment, variable, text)?;
    if text.len() > 500 || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(Error::new(
            variable,
            "is not the plain address of an issuer.",
            "Write https://host or https://host/path.",
        ));
    }
    Ok(text.to_owned())
}

/// `https`, except on this machine where that is allowed (`ALLOW_LOOPBACK_PROVIDERS=1`).
fn web(environment: &Environment, variable: &str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| Error::new(variable, "is not a URL.", "Write https://host/path."))?;
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let local = here && environment.get("ALLOW_LOOPBACK_PROVIDERS") == Some("1");
    match url.scheme() == "https" || (url.scheme() == "http" && local) {
        true => Ok(url),
        false => Err(Error::new(variable, "is not an https address.", "Write https://host/path.")),
    }
}

fn list(environment: &Environment, variable: &str) -> Vec<String> {
    let parts = environment.get(variable).unwrap_or_default().split([',', ' ', '\n', '\t']);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn long_enough(variable: &str, secret: &str, least: usize) -> Result<SecretString, Error> {
    match secret.len() < least {
        true => {
            Err(Error::new(variable, format!("is shorter than {least} characters."), "Use `openssl rand -base64 32`."))
        }
        false => Ok(SecretString::from(secret)),
    }
}
