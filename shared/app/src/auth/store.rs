//! Tokens and tenants in the database.

use tokio_postgres::Row;
use uuid::Uuid;

use super::session::Person;
use super::token::{Minted, TokenKind};
use super::visitor::Visitor;
use super::{Caller, Role, Scope};
use crate::App;
use crate::db::{Param, TenantTx};
use crate::error::Result;
use crate::http::{ClientAddress, Notes};
use crate::limits::{self, Debit, Policy, Rates, Refused, Request, Standing};

/// What a look-up needs besides the credential.
pub struct Look<'a> {
    pub app: &'a App,
    pub address: ClientAddress,
}

/// What a look-up found, before anybody is let in.
pub struct Found<T> {
    held: Option<T>,
    debit: Option<std::result::Result<Standing, Refused>>,
    /// Set once the address has shown too many bad credentials.
    stranger: Option<Refused>,
}

impl<T> Found<T> {
    /// Who it is, if the credential is good and within its limits; `None` for one that is not good.
    pub fn admit(self, notes: &Notes) -> Result<Option<T>> {
        if let Some(refused) = self.stranger {
            return Err(refused.into());
        }
        match self.debit {
            Some(Ok(standing)) => notes.standing(standing),
            Some(Err(refused)) => {
                notes.standing(refused.standing());
                return Err(refused.into());
            }
            None => {}
        }
        Ok(self.held)
    }
}

/// A publishable token that may mint visitors.
pub struct Publishable {
    pub id: Uuid,
    pub origins: Vec<String>,
    pub bot: Option<Uuid>,
    pub master: String,
}

/// A look-up: which rows make the credential good (with a first column `bucket`, see [`limits::DEBIT`]), whose own
/// parameters begin at `$9`, and what else is to be done for them.
struct Lookup<'a> {
    held: &'a str,
    also: &'a str,
    params: &'a [&'a dyn Param],
    narrow: Policy,
}

/// The columns of the verdict, before those of `held`.
const OFFSET: usize = 4;

/// One statement: the credential, the debit of its buckets, and of its address's when it is not good.
async fn look<T>(tx: &TenantTx, look: &Look<'_>, lookup: Lookup<'_>, read: impl Fn(&Row) -> T) -> Result<Found<T>> {
    let Lookup { held, also, params, narrow } = lookup;
    let App { rates, backend, db, .. } = look.app;
    let debit = backend.sql();
    let sql = format!(
        "with held as (select one.* from ({held}) one limit 1) {also}, {debit}, stranger as (
           select control.admit($6, $7, $8) as wait where not exists (select from held)
         )
         select coalesce((select stranger.wait from stranger), 0), d.verdict, d.remaining, d.wait_millis, h.*
         from (values (1)) always left join held h on true left join standing d on true"
    );
    let Rates { tenant: wide, address, .. } = rates;
    let ([step, span], [tenant_step, tenant_span]) = (narrow.pace(), wide.pace());
    let [most, seconds] = [address.limit, address.window_seconds].map(|value| i32::try_from(value).unwrap_or(i32::MAX));
    let who = look.address.hash();
    let mut all: Vec<&dyn Param> = vec![&step, &span, &tenant_step, &tenant_span, &who, &most, &seconds];
    all.extend(params);
    let row = tx.query_opt(&sql, &all).await?.ok_or_else(|| crate::Error::internal("a look-up gave no row"))?;
    let wait: i32 = row.get(0);
    let retry_after = u32::try_from(wait).unwrap_or_default().div_ceil(1000);
    let stranger = (wait > 0).then_some(Refused { policy: *address, retry_after });
    let Some(verdict) = row.get(1) else { return Ok(Found { held: None, debit: None, stranger }) };
    let debit = Debit { verdict, remaining: row.get(2), wait_millis: row.get(3) };
    let request = Request { tenant: tx.tenant(), bucket: row.get(OFFSET), narrow, wide: *wide };
    let debit = backend.settle(db, request, debit).await?;
    Ok(Found { held: Some(read(&row)), debit: Some(debit), stranger })
}

/// `last_used_at` moves at most once a minute, so that a busy token is not a hot row.
const USED: &str = ", used as (
    update token set last_used_at = now() from held
    where token.tenant_id = $1 and token.id = held.id
      and coalesce(held.last_used_at, '-infinity') < now() - interval '1 minute'
    returning 1
  )";

/// A token that is neither revoked nor over, of a tenant that is open.
const LIVE: &str = "from token k join tenant t on t.tenant_id = $1 and t.disabled_at is null
    where k.tenant_id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())";

pub async fn by_token(tx: &TenantTx, hash: &[u8; 32], with: &Look<'_>) -> Result<Found<Caller>> {
    let held = format!(
        "select 'token:' || k.id as bucket, k.id, k.scopes, k.last_used_at
         {LIVE} and k.hash = $9 and k.kind = 'secret'"
    );
    let lookup = Lookup { held: &held, also: USED, params: &[&hash.to_vec()], narrow: with.app.rates.token };
    look(tx, with, lookup, |row| {
        let scopes: Vec<String> = row.get(OFFSET + 2);
        Caller {
            tenant: tx.tenant(),
            token: Some(row.get(OFFSET + 1)),
            visitor: None,
            owner: String::new(),
            scopes: scopes.iter().filter_map(|text| Scope::parse(text)).collect(),
        }
    })
    .await
}

/// Whoever shows a publishable token is counted by address: everybody who opens the page has it.
pub async fn by_publishable(tx: &TenantTx, hash: &[u8; 32], with: &Look<'_>) -> Result<Found<Publishable>> {
    let held = format!(
        "select $10 as bucket, k.id, k.origins, k.bot_id, coalesce(k.master_id, ''), k.last_used_at
         {LIVE} and k.hash = $9 and k.kind = 'publishable'"
    );
    let narrow = with.app.rates.address;
    let bucket = limits::bucket(narrow, with.address.name());
    let lookup = Lookup { held: &held, also: USED, params: &[&hash.to_vec(), &bucket], narrow };
    look(tx, with, lookup, |row| Publishable {
        id: row.get(OFFSET + 1),
        origins: row.get(OFFSET + 2),
        bot: row.get(OFFSET + 3),
        master: row.get(OFFSET + 4),
    })
    .await
}

/// The visitor's signature was checked; here it is asked whether the token that let it in is still good for its page.
pub async fn by_visitor(tx: &TenantTx, visitor: &Visitor, with: &Look<'_>) -> Result<Found<Caller>> {
    let held =
        format!("select $11 as bucket {LIVE} and k.id = $9 and k.kind = 'publishable' and $10 = any (k.origins)");
    let narrow = with.app.rates.visitor;
    let bucket = limits::bucket(narrow, &visitor.id);
    let lookup = Lookup { held: &held, also: "", params: &[&visitor.token, &visitor.origin, &bucket], narrow };
    look(tx, with, lookup, |_| Caller {
        tenant: tx.tenant(),
        token: Some(visitor.token),
        visitor: Some(visitor.id.clone()),
        owner: visitor.owner(),
        scopes: Role::Visitor.scopes().to_vec(),
    })
    .await
}

/// The person was vouched for; here it is asked whether its tenant is here and open.
pub async fn by_person(tx: &TenantTx, person: &Person, with: &Look<'_>) -> Result<Found<Caller>> {
    let held = "select $9 as bucket from tenant t where t.tenant_id = $1 and t.disabled_at is null";
    let narrow = with.app.rates.token;
    let bucket = limits::bucket(narrow, person.fingerprint());
    let lookup = Lookup { held, also: "", params: &[&bucket], narrow };
    look(tx, with, lookup, |_| Caller {
        tenant: tx.tenant(),
        token: None,
        visitor: None,
        owner: person.owner(),
        scopes: person.role.scopes().to_vec(),
    })
    .await
}

/// A token as it can be shown: never the token itself.
pub struct Token {
    pub id: Uuid,
    pub name: String,
    pub kind: String,
    pub last4: String,
    pub scopes: Vec<String>,
    pub origins: Vec<String>,
    pub bot: Option<Uuid>,
    pub expires_at: Option<jiff::Timestamp>,
    pub last_used_at: Option<jiff::Timestamp>,
    pub created_at: jiff::Timestamp,
}

impl Token {
    fn read(row: &Row) -> Token {
        Token {
            id: row.get(0),
            name: row.get(1),
            kind: row.get(2),
            last4: row.get(3),
            scopes: row.get(4),
            origins: row.get(5),
            bot: row.get(6),
            expires_at: row.get(7),
            last_used_at: row.get(8),
            created_at: row.get(9),
        }
    }
}

const COLUMNS: &str = "id, name, kind, last4, scopes, origins, bot_id, expires_at, last_used_at, created_at";

pub struct NewToken<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub kind: TokenKind,
    pub scopes: &'a [Scope],
    pub origins: &'a [String],
    pub bot: Option<Uuid>,
    /// Which master key a publishable token's identity secret derives from.
    pub master: Option<&'a str>,
    pub expires_at: Option<jiff::Timestamp>,
    pub minted: &'a Minted,
}

impl<'a> NewToken<'a> {
    /// One for servers, without an end.
    pub fn secret(id: Uuid, name: &'a str, scopes: &'a [Scope], minted: &'a Minted) -> NewToken<'a> {
        let (origins, bot, master, expires_at) = (&[], None, None, None);
        NewToken { id, name, kind: TokenKind::Secret, scopes, origins, bot, master, expires_at, minted }
    }
}

pub async fn insert(tx: &TenantTx, new: NewToken<'_>) -> Result<Token> {
    let scopes: Vec<String> = new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let sql = format!(
        "insert into token (tenant_id, id, name, kind, hash, last4, scopes, origins, bot_id, master_id, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning {COLUMNS}"
    );
    let (kind, hash, origins) = (new.kind.as_str(), new.minted.hash.to_vec(), new.origins.to_vec());
    let params: &[&dyn Param] = &[
        &new.id,
        &new.name,
        &kind,
        &hash,
        &new.minted.last4,
        &scopes,
        &origins,
        &new.bot,
        &new.master,
        &new.expires_at,
    ];
    let rows = tx.query(&sql, params).await?;
    rows.first().map(Token::read).ok_or_else(|| crate::Error::internal("insert returned no row"))
}

/// No tenant has more than a screenful of tokens that are alive; the newest are shown.
pub const LIST_LIMIT: i64 = 200;

pub async fn list(tx: &TenantTx) -> Result<Vec<Token>> {
    let sql = format!(
        "select {COLUMNS} from token where tenant_id = $1 and revoked_at is null order by created_at desc, id limit $2"
    );
    Ok(tx.query(&sql, &[&LIST_LIMIT]).await?.iter().map(Token::read).collect())
}

/// True when there was such a token and it is revoked now.
pub async fn revoke(tx: &TenantTx, id: Uuid) -> Result<bool> {
    let sql = "update token set revoked_at = coalesce(revoked_at, now()) where tenant_id = $1 and id = $2 returning 1";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}

/// What a tenant starts with: itself, one collection, one bot over it.
/// Twice is once: of two first sights of the same person the later finds everything made.
pub async fn create_tenant(
    tx: &TenantTx,
    name: &str,
    person: Option<&Person>,
    embedding_model: &str,
    ids: [Uuid; 2],
) -> Result<()> {
    let [collection, bot] = ids;
    let (issuer, external) = (person.map(|person| person.issuer.as_str()), person.map(Person::group));
    let sql = "insert into tenant (tenant_id, name, issuer, external_id) values ($1, $2, $3, $4)
               on conflict (tenant_id) do nothing returning 1";
    if tx.execute(sql, &[&name, &issuer, &external]).await? == 0 {
        return Ok(());
    }
    let sql = "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, 'Library', $3)";
    tx.execute(sql, &[&collection, &embedding_model]).await?;
    tx.execute("insert into bot (tenant_id, id, name, is_default) values ($1, $2, 'Docent', true)", &[&bot]).await?;
    let sql = "insert into bot_collection (tenant_id, bot_id, collection_id) values ($1, $2, $3)";
    tx.execute(sql, &[&bot, &collection]).await?;
    Ok(())
}

/// A tenant's name and when it came, or nothing when there is no such tenant.
pub async fn tenant(tx: &TenantTx) -> Result<Option<(String, jiff::Timestamp)>> {
    let row = tx.query_opt("select name, created_at from tenant where tenant_id = $1", &[]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
