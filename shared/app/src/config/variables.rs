//! Every variable that a process reads, said once: `.env.example` and the hints of `docent doctor` are made of this table.

use Need::{Optional, Platform, Required};

/// One variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// `<…>` stands for what the operator chooses.
    pub name: &'static str,
    /// Another name of the same thing; the first one wins.
    pub also: &'static str,
    pub need: Need,
    /// What holds without it, or an example where nothing would.
    pub value: &'static str,
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
    /// Set by the platform, not by people.
    Platform,
}

pub struct Group {
    pub title: &'static str,
    pub variables: &'static [Variable],
}

const fn variable(name: &'static str, need: Need, value: &'static str, about: &'static str) -> Variable {
    Variable { name, also: "", need, value, about }
}

const fn either(
    name: &'static str,
    also: &'static str,
    need: Need,
    value: &'static str,
    about: &'static str,
) -> Variable {
    Variable { name, also, need, value, about }
}

pub const GROUPS: &[Group] = &[
    Group {
        title: "Database",
        variables: &[
            variable(
                "DATABASE_URL",
                Required,
                "postgres://docent_app:…@host-pooler/db?sslmode=require",
                "What the functions use: the role docent_app, through the pooler where there is one.",
            ),
            variable(
                "DIRECT_DATABASE_URL",
                Optional,
                "postgres://admin:…@host/db?sslmode=require",
                "The administrator's, not through a pooler: for docent migrate, tenant, keys, reindex and doctor alone.",
            ),
            variable("DATABASE_POOL_SIZE", Optional, "4", "Connections of one process; 1 or 2 on Lambda."),
        ],
    },
    Group {
        title: "Bucket: S3, R2 or anything that speaks S3",
        variables: &[
            either("S3_BUCKET", "CLOUDFLARE_R2_BUCKET_NAME", Required, "docent", "Its name."),
            either("S3_REGION", "AWS_REGION", Optional, "auto", "R2 expects auto."),
            either(
                "S3_ENDPOINT",
                "CLOUDFLARE_R2_ACCOUNT_ID",
                Optional,
                "https://<account>.r2.cloudflarestorage.com",
                "Where it answers, unless on AWS itself. The account's id alone is enough for R2.",
            ),
            variable(
                "S3_PUBLIC_ENDPOINT",
                Optional,
                "http://localhost:9000",
                "Where browsers reach it, if that is elsewhere (containers).",
            ),
            either(
                "AWS_ACCESS_KEY_ID",
                "CLOUDFLARE_R2_ACCESS_KEY_ID",
                Required,
                "…",
                "A key that may read, write, list and delete.",
            ),
            either("AWS_SECRET_ACCESS_KEY", "CLOUDFLARE_R2_SECRET_ACCESS_KEY", Required, "…", "Its secret."),
            variable("AWS_SESSION_TOKEN", Platform, "", "Of a role's temporary key."),
        ],
    },
    Group {
        title: "Keys and secrets",
        variables: &[
            variable(
                "MASTER_KEY_<id>",
                Required,
                "",
                "32 random bytes in base64 (openssl rand -base64 32); tenants' provider keys are sealed under it. The id: 1 to 4 of a-z, 0-9.",
            ),
            variable("MASTER_KEY_CURRENT", Required, "k1", "The id that seals new keys."),
            variable("ENCRYPTION_KEY", Optional, "", "Instead of both: a single master key of the same form."),
            variable(
                "INGEST_SECRET",
                Optional,
                "",
                "Signs what R2's queue worker posts to /api/ingest (openssl rand -hex 32). Without it that door is shut.",
            ),
            variable(
                "CRON_SECRET",
                Optional,
                "",
                "What the platform's scheduler sends to /api/ingest/sweep as a bearer token. Without it that door is shut.",
            ),
        ],
    },
    Group {
        title: "Who may call",
        variables: &[
            variable(
                "ALLOWED_ORIGINS",
                Optional,
                "https://app.example.com",
                "Pages of other origins that may call with their own token or session; by commas.",
            ),
            variable(
                "CLIENT_ADDRESS_HEADER",
                Optional,
                "cf-connecting-ip",
                "Where the proxy in front writes the client's address. Known on Vercel.",
            ),
            variable(
                "TENANT_PROVISIONING",
                Optional,
                "0",
                "1: an organisation, or a person without one, becomes a tenant on first sight.",
            ),
            either(
                "AUTH_SECRET",
                "NEXTAUTH_SECRET",
                Optional,
                "",
                "Opens the sessions of Auth.js 5 or 4; one, or a JSON array of several.",
            ),
            variable("AUTH_SECRET_1", Optional, "", "An older secret, while sessions under it last."),
            variable("AUTH_SECRET_2", Optional, "", "Likewise."),
            variable("AUTH_SECRET_3", Optional, "", "Likewise."),
            variable(
                "AUTH_SESSIONS",
                Optional,
                "jwt",
                "database: the front end keeps sessions as rows, which costs one more trip.",
            ),
            variable(
                "AUTH_COOKIE",
                Optional,
                "authjs.session-token",
                "The session cookie's name, where the front end has changed it.",
            ),
            variable("AUTH_ORG_CLAIM", Optional, "org_id", "Which claim of the session names the organisation."),
            variable("AUTH_ROLE_CLAIM", Optional, "role", "Which claim names the role in it."),
            variable("AUTH_DEFAULT_ROLE", Optional, "viewer", "The role of members whose token names none."),
            either(
                "CLERK_PUBLISHABLE_KEY",
                "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY",
                Optional,
                "pk_live_…",
                "People signed in by Clerk; or its address as CLERK_ISSUER.",
            ),
            variable("CLERK_ISSUER", Optional, "https://clerk.example.com", "Clerk's frontend API."),
            variable(
                "CLERK_AUTHORIZED_PARTIES",
                Optional,
                "https://app.example.com",
                "With Clerk: the origins of your front end, by commas.",
            ),
            variable("CLERK_AUDIENCE", Optional, "", "With Clerk: what must stand in aud, if anything."),
            variable("CLERK_JWT_KEY", Optional, "", "Clerk's public key in PEM, which saves fetching it."),
            variable(
                "OIDC_ISSUER",
                Optional,
                "https://issuer.example.com",
                "People signed in by any issuer of OpenID Connect. Of several: OIDC_<NAME>_ISSUER and so on.",
            ),
            variable("OIDC_AUDIENCE", Optional, "", "What must stand in aud. This or OIDC_AZP is needed."),
            variable("OIDC_AZP", Optional, "", "What must stand in azp or client_id."),
            variable("OIDC_ORG_CLAIM", Optional, "", "Which claim names the organisation."),
            variable("OIDC_ROLE_CLAIM", Optional, "", "Which claim names the role in it."),
            variable("OIDC_ALGORITHMS", Optional, "RS256", "Those of a key pair, by commas; HS256 with OIDC_SECRET."),
            variable("OIDC_JWKS_URL", Optional, "", "Where its keys lie, if discovery does not say."),
            variable("OIDC_SECRET", Optional, "", "The shared secret of HS256, 32 characters at least."),
        ],
    },
    Group {
        title: "Limits and money",
        variables: &[
            either(
                "DOCENT_ENV",
                "VERCEL_ENV",
                Optional,
                "production",
                "development, staging or production: what the limits start from.",
            ),
            variable(
                "RATE_LIMIT_PER_MINUTE",
                Optional,
                "60",
                "Requests of one token or signed-in person; 100 in staging, 1000 in development.",
            ),
            variable("RATE_LIMIT_TENANT_PER_MINUTE", Optional, "1200", "Of a whole tenant: 20 times a token's."),
            variable("RATE_LIMIT_VISITOR_PER_MINUTE", Optional, "20", "Of one visitor."),
            variable("RATE_LIMIT_ADDRESS_PER_MINUTE", Optional, "60", "Of one address without a valid credential."),
            variable("MAX_UPLOAD_BYTES", Optional, "52428800", "The largest file of a format that is held as a whole."),
            variable(
                "MAX_STREAM_BYTES",
                Optional,
                "524288000",
                "The largest file of a format that is read piece by piece; 157286400 on Vercel.",
            ),
            either(
                "UPSTASH_REDIS_REST_URL",
                "KV_REST_API_URL",
                Optional,
                "",
                "A Redis that counts requests instead of Postgres.",
            ),
            either("UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN", Optional, "", "Its token; one that may write."),
            variable(
                "OPERATOR_SPEND_CAP_DAILY_USD",
                Optional,
                "",
                "What a tenant may spend in a day on the operator's own provider keys. Without it they serve nobody.",
            ),
            variable(
                "<PROVIDER>_API_KEY",
                Optional,
                "",
                "The operator's own key of a known provider, e.g. OPENAI_API_KEY or GEMINI_API_KEY; see the cap above.",
            ),
            variable("PRICES_JSON", Optional, "", "Rows that override or extend the table of prices."),
        ],
    },
    Group {
        title: "Answers",
        variables: &[
            variable(
                "ANSWER_SECONDS",
                Optional,
                "295",
                "The longest that an answer may take; below the platform's limit.",
            ),
            variable(
                "STREAM_LEASE_SECONDS",
                Optional,
                "10",
                "After this silence the producer of a resumable answer counts as lost; of another after three times as long.",
            ),
        ],
    },
    Group {
        title: "Models and search",
        variables: &[
            variable(
                "EMBEDDING_MODEL",
                Optional,
                "hash-384",
                "What new collections are embedded with, e.g. openai/text-embedding-3-small with the tenant's key.",
            ),
            variable(
                "EMBEDDING_PACES",
                Optional,
                "",
                "How fast providers may be asked: openai=5000/5000000,acme=none (requests/tokens a minute).",
            ),
            variable(
                "PROVIDER_ORIGINS",
                Optional,
                "",
                "Where provider keys may be sent besides the known providers: https://host by commas, or * for any public host.",
            ),
            variable(
                "ALLOW_LOOPBACK_PROVIDERS",
                Optional,
                "0",
                "1: a provider's base URL may point at this machine (Ollama).",
            ),
            variable(
                "QUESTION_CACHE_SECONDS",
                Optional,
                "0",
                "How long a process keeps the vector of a question, which is not embedded again meanwhile; up to a day.",
            ),
            variable("QDRANT_URL", Optional, "", "A Qdrant that is asked for near vectors instead of Postgres."),
            variable("QDRANT_API_KEY", Optional, "", "Its key; one that may write."),
        ],
    },
    Group {
        title: "Ingestion",
        variables: &[
            variable(
                "INGEST_QUEUE_URL",
                Optional,
                "https://sqs.<region>.amazonaws.com/<account>/<queue>",
                "For docent worker: the bucket's events, in SQS or in a queue of Cloudflare's that is pulled from.",
            ),
            variable("INGEST_QUEUE_TOKEN", Optional, "", "Cloudflare's token that may read and write that queue."),
            variable("INGEST_LEASE_SECONDS", Optional, "45", "After how long a silent worker counts as dead."),
            variable("INGEST_BATCH_CHUNKS", Optional, "2048", "The most chunks that are embedded and stored at once."),
            variable("PARSE_SECONDS", Optional, "120", "How long one document may be read for."),
            variable(
                "PARSER_MEMORY_BYTES",
                Optional,
                "536870912",
                "What the process that reads one document may hold.",
            ),
        ],
    },
    Group {
        title: "Who is told what happens",
        variables: &[
            variable("LOG_LEVEL", Optional, "info", "off, error, warn, info, debug or trace."),
            variable(
                "DOCENT_METRICS_LISTEN",
                Optional,
                "127.0.0.1:9464",
                "Where docent serve and docent worker answer /metrics, without a credential. Off unless set.",
            ),
            variable(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                Optional,
                "http://127.0.0.1:4318",
                "A collector of traces that speaks OTLP over HTTP. Off unless set.",
            ),
            variable(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                Optional,
                "http://127.0.0.1:4318/v1/traces",
                "The same as a whole address; wins.",
            ),
            variable(
                "OTEL_EXPORTER_OTLP_HEADERS",
                Optional,
                "",
                "What it lets us in by: name=value, by commas, values percent-encoded.",
            ),
            variable(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                Optional,
                "http/json",
                "JSON is what is sent; grpc is refused when we start.",
            ),
            variable("OTEL_SERVICE_NAME", Optional, "docent", "What it calls us."),
            variable("OTEL_RESOURCE_ATTRIBUTES", Optional, "", "More about us: name=value, by commas."),
            variable("OTEL_SDK_DISABLED", Optional, "false", "true: no traces, whatever else is set."),
            variable("SENTRY_DSN", Optional, "", "Where our own failures are told. Off unless set."),
            variable("SENTRY_ENVIRONMENT", Optional, "production", "What they are filed under; DOCENT_ENV unless set."),
        ],
    },
    Group {
        title: "This process",
        variables: &[
            variable("DOCENT_LISTEN", Optional, "0.0.0.0:8080", "Where docent serve listens."),
            variable("DOCENT_DATA", Optional, "", "The folder of docent up."),
            variable(
                "DOCENT_URL",
                Optional,
                "",
                "The running system that docent ingest, ask, reembed and doctor speak to.",
            ),
            variable("DOCENT_TOKEN", Optional, "", "A token of it."),
            variable(
                "DOCENT_POSTGRES_WHEEL",
                Optional,
                "",
                "For docent up without a network: the file that brings Postgres.",
            ),
            variable("OPENAI_BASE_URL", Optional, "", "For docent up: where OPENAI_API_KEY is good."),
            variable("OPENAI_MODEL", Optional, "gpt-4o-mini", "For docent up: the model of the first bot."),
            variable("VERCEL", Platform, "", "There, less room for temporary files and a known header of addresses."),
            variable(
                "AWS_LAMBDA_FUNCTION_NAME",
                Platform,
                "",
                "There, progress is answered at once instead of streamed, and metrics are lines of the log.",
            ),
            variable("HOME", Platform, "", "Where the folders of docent up are, unless XDG_* say otherwise."),
            variable("XDG_DATA_HOME", Platform, "", "Of docent up."),
            variable("XDG_CACHE_HOME", Platform, "", "Of docent up."),
        ],
    },
];

/// What a new deployment copies and fills in: required lines are open, the others are comments that say what holds.
pub fn example() -> String {
    let mut text = String::from(
        "# Every variable that Docent reads. `docent doctor` checks what is set; `docent env` prints this file.\n",
    );
    for group in GROUPS {
        text.push_str(&format!("\n# {}\n", group.title));
        for one in group.variables.iter().filter(|one| one.need != Platform) {
            let or = if one.also.is_empty() { String::new() } else { format!(" (or {})", one.also) };
            text.push_str(&format!("# {}{or}\n", one.about));
            let name = one.name.replace("<id>", "k1").replace("<PROVIDER>", "OPENAI");
            let comment = if one.need == Required { "" } else { "# " };
            text.push_str(&format!("{comment}{name}={}\n", one.value));
        }
    }
    text
}

/// The variable that somebody probably meant who set this one: one that we read, if this is none but nearly so.
pub fn meant(name: &str) -> Option<&'static str> {
    let names = || GROUPS.iter().flat_map(|group| group.variables).flat_map(|one| [one.name, one.also]);
    let fixed = || names().filter(|known| !known.is_empty() && !known.contains('<'));
    let pattern =
        |name: &str| name.starts_with("MASTER_KEY_") || name.starts_with("OIDC_") || name.ends_with("_API_KEY");
    if fixed().any(|known| known == name) || pattern(name) || name.len() < LEAST_GUESSED {
        return None;
    }
    fixed().filter(|known| known.len() >= LEAST_GUESSED).find(|known| one_slip(name, known))
}

/// Shorter names are too near to one another.
const LEAST_GUESSED: usize = 7;

/// One character more, less or different, two that changed places, or only the joints differ (`S3BUCKET`, `S3-BUCKET`).
fn one_slip(left: &str, right: &str) -> bool {
    let joined = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    if joined(left) == joined(right) {
        return true;
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (rest, other) = (&left[same..], &right[same..]);
    let after = |bytes: &[u8], count: usize| bytes.get(count..).map(<[u8]>::to_vec);
    let swapped = rest.len() > 1 && other.len() > 1 && rest[0] == other[1] && rest[1] == other[0];
    after(rest, 1) == after(other, 1)
        || after(rest, 1).as_deref() == Some(other)
        || Some(rest) == after(other, 1).as_deref()
        || (swapped && after(rest, 2) == after(other, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_noticed_and_a_strange_name_is_not() {
        for (name, expected) in [
            ("DATABSE_URL", Some("DATABASE_URL")),
            ("DATABASE_ULR", Some("DATABASE_URL")),
            ("DATABASE_URLS", Some("DATABASE_URL")),
            ("S3BUCKET", Some("S3_BUCKET")),
            ("s3_bucket", Some("S3_BUCKET")),
            ("DATABASE_URL", None),
            ("MASTER_KEY_k1", None),
            ("OIDC_ACME_ISSUER", None),
            ("GROQ_API_KEY", None),
            ("PATH", None),
            ("HOSTNAME", None),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
    }
}
