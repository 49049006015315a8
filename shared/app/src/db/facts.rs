//! What an operator asks of a database before trusting it with documents.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Db, failed, unavailable};
use crate::error::Result;

/// The oldest server that the migrations are made for, as `server_version_num` has it.
pub const LEAST_SERVER: i32 = 150_000;
/// The oldest pgvector: iterative scans of an index came with it.
pub const LEAST_PGVECTOR: (u32, u32) = (0, 8);

#[derive(Clone, Debug)]
pub struct Facts {
    /// As `server_version_num`: 150000 is 15.0.
    pub server: i32,
    pub role: String,
    /// As the extension says it, e.g. `0.8.2`.
    pub pgvector: Option<String>,
    /// By the server's clock, in the middle of the round trip.
    pub now: Timestamp,
    pub here: Timestamp,
    pub round_trip: Duration,
    /// Of the whole server, this one included.
    pub connections: i64,
    pub most_connections: i64,
}

impl Facts {
    pub fn pgvector_is_old(&self) -> bool {
        self.pgvector.as_deref().is_none_or(pgvector_is_old)
    }
}

/// Whether this version cannot do what the migrations ask of it; one that is no version cannot.
pub fn pgvector_is_old(version: &str) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < LEAST_PGVECTOR
}

impl Db {
    /// One trip after the one that opens the connection.
    pub async fn facts(&self, clock: &crate::clock::Clock) -> Result<Facts> {
        let client = self.pool.get().await.map_err(unavailable)?;
        let sql = "select current_setting('server_version_num')::int4, current_user::text,
                     (select extversion from pg_extension where extname = 'vector'), clock_timestamp(),
                     (select count(*) from pg_stat_activity where backend_type = 'client backend'),
                     current_setting('max_connections')::int8";
        let began = Instant::now();
        let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
        let round_trip = began.elapsed();
        let here = clock.now() - jiff::SignedDuration::try_from(round_trip / 2).unwrap_or_default();
        let row = rows.first().ok_or_else(|| crate::Error::internal("the database said nothing of itself"))?;
        Ok(Facts {
            server: row.get(0),
            role: row.get(1),
            pgvector: row.get(2),
            now: row.get(3),
            here,
            round_trip,
            connections: row.get(4),
            most_connections: row.get(5),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, old) in [("0.8.0", false), ("0.10.1", false), ("1.0", false), ("0.7.4", true), ("", true)] {
            assert_eq!(pgvector_is_old(version), old, "{version}");
        }
    }
}
