//! The door that only tests can open: with it, one wall of three is taken away and the other two must hold.

use std::borrow::Cow;

/// Closed in every build but tests' (feature `test-doors`).
#[derive(Clone, Debug, Default)]
pub struct Door {
    #[cfg(feature = "test-doors")]
    missing: Option<Wall>,
}

/// A wall that a test may take away.
#[cfg(feature = "test-doors")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// The explicit `tenant_id = $1` of every statement.
    Predicate,
    /// Row security: the connection may be a superuser's.
    RowSecurity,
    /// Both: shows that the tests which take one away would notice.
    Both,
}

impl Door {
    pub const fn closed() -> Door {
        Door {
            #[cfg(feature = "test-doors")]
            missing: None,
        }
    }

    #[cfg(feature = "test-doors")]
    pub const fn without(wall: Wall) -> Door {
        Door { missing: Some(wall) }
    }

    #[cfg(not(feature = "test-doors"))]
    pub(super) fn rewrite<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(sql)
    }

    #[cfg(feature = "test-doors")]
    pub(super) fn rewrite<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        match self.missing {
            Some(Wall::Predicate | Wall::Both) => Cow::Owned(without_predicate(sql)),
            _ => Cow::Borrowed(sql),
        }
    }

    pub(super) fn skips_role_check(&self) -> bool {
        #[cfg(feature = "test-doors")]
        return matches!(self.missing, Some(Wall::RowSecurity | Wall::Both));
        #[cfg(not(feature = "test-doors"))]
        return false;
    }
}

/// Replaces each `[alias.]tenant_id = $1` by a condition that always holds.
#[cfg(feature = "test-doors")]
fn without_predicate(sql: &str) -> String {
    let mut parts = sql.split("tenant_id = $1");
    let mut rewritten = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if rewritten.ends_with('.') {
            rewritten.pop();
            let kept = rewritten.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
            rewritten.truncate(kept);
        }
        rewritten.push_str("$1::uuid is not null");
        rewritten.push_str(part);
    }
    rewritten
}
