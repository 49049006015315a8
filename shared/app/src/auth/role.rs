//! What a caller may do. Deny by default: a handler names the one scope that it needs, and without it gets no caller.

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
pub enum Scope {
    /// Ask questions.
    Chat,
    /// Read documents, bots, conversations, usage; search.
    Read,
    /// Upload and delete documents, change bots.
    Write,
    /// Provider keys, platform tokens, caps.
    Admin,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::Chat, Scope::Read, Scope::Write, Scope::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Chat => "chat",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who somebody is in their tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, provider keys and tokens included.
    Owner,
    /// The library and the bots.
    Editor,
    /// Asks and reads.
    Viewer,
    /// Asks.
    Visitor,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Owner, Role::Editor, Role::Viewer, Role::Visitor];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Editor => "editor",
            Role::Viewer => "viewer",
            Role::Visitor => "visitor",
        }
    }

    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Role::Owner => &Scope::ALL,
            Role::Editor => &[Scope::Chat, Scope::Read, Scope::Write],
            Role::Viewer => &[Scope::Chat, Scope::Read],
            Role::Visitor => &[Scope::Chat],
        }
    }

    /// Our own names, and those of identity providers with an `org:` in front.
    pub fn parse(text: &str) -> Option<Role> {
        match text.strip_prefix("org:").unwrap_or(text) {
            "admin" => Some(Role::Owner),
            name => Role::ALL.into_iter().find(|role| role.as_str() == name),
        }
    }
}

/// A scope as a type, so that a handler's signature says what it needs and nothing can forget to ask.
pub trait Need: Send + Sync + 'static {
    const SCOPE: Scope;
    /// What a visitor needs for it, where that differs: whose conversations are its own.
    const OF_VISITOR: Scope = Self::SCOPE;
}

macro_rules! needs {
    ($($name:ident),*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Need for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}

needs!(Chat, Read, Write, Admin);

/// Read one's conversations. A tenant's servers share theirs, so they need more for it than a visitor.
#[derive(Clone, Copy, Debug)]
pub struct Recall;

impl Need for Recall {
    const SCOPE: Scope = Scope::Read;
    const OF_VISITOR: Scope = Scope::Chat;
}
