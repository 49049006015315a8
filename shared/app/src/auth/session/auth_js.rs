//! Sessions of Auth.js: which cookies they lie in, which keys open them, and the person inside.

use std::borrow::Cow;

use super::jwe::{Keyring, Version};
use super::refusal::Refusal;
use super::{AUTH_JS, Person, claims, cookies};
use crate::auth::Role;
use crate::config;

/// Seconds that clocks may differ, as in Auth.js itself.
const SKEW: i64 = 15;

pub(super) struct AuthJs {
    settings: config::AuthJs,
    keyring: Keyring,
    /// Version 5 before version 4 before the operator's own. The secure one hides the plain one of its version, which
    /// a page on a neighbouring host could have set.
    cookies: [Vec<String>; 3],
}

impl AuthJs {
    pub fn new(settings: config::AuthJs) -> AuthJs {
        let pair = |name: &str| vec![format!("__Secure-{name}"), name.to_owned()];
        let own: Vec<String> = settings.cookie.clone().into_iter().collect();
        let cookies = [pair("authjs.session-token"), pair("next-auth.session-token"), own];
        let [five, four, own] = &cookies;
        let of = |version| move |name: &'_ String| (name.clone(), version);
        let names = five.iter().chain(own).map(of(Version::Five)).chain(four.iter().chain(own).map(of(Version::Four)));
        // Where sessions lie in a database, a token that the same secret opens is none: nobody could end it.
        let secrets = if settings.database { &[] } else { settings.secrets.as_slice() };
        let keyring = Keyring::new(secrets, names);
        AuthJs { settings, keyring, cookies }
    }

    pub fn database(&self) -> bool {
        self.settings.database
    }

    /// The session cookies of a request, at most one of each version.
    pub fn find<'a>(&'a self, header: &'a str) -> Vec<(&'a str, Result<Cow<'a, str>, Refusal>)> {
        let value = |name: &'a String| Some((name.as_str(), cookies::value(header, name).transpose()?));
        self.cookies.iter().filter_map(|names| names.iter().find_map(value)).collect()
    }

    pub fn person(&self, text: &str, cookie: Option<&str>, now: i64, default: Role) -> Result<Person, Refusal> {
        let claims = self.keyring.open(text, cookie)?;
        claims::times(&claims, now, SKEW)?;
        Person::new(AUTH_JS, &claims, &self.settings.places, default)
    }
}
