//! Statement parameters that know their Postgres type, so that one trip both prepares and runs a statement
//! (no second trip to ask the server, and nothing that a transaction pooler could mix up).

use pgvector::Vector;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value that can be bound. `vector` is the connection's own type for pgvector, whose id differs by database.
pub trait Param: ToSql + Sync {
    fn sql_type(&self, vector: &Type) -> Type;
}

macro_rules! params {
    ($($rust:ty => $sql:expr),* $(,)?) => {$(
        impl Param for $rust {
            fn sql_type(&self, _: &Type) -> Type { $sql }
        }
        impl Param for Option<$rust> {
            fn sql_type(&self, _: &Type) -> Type { $sql }
        }
    )*};
}

params! {
    bool => Type::BOOL,
    i32 => Type::INT4,
    i64 => Type::INT8,
    f64 => Type::FLOAT8,
    String => Type::TEXT,
    &str => Type::TEXT,
    Uuid => Type::UUID,
    jiff::Timestamp => Type::TIMESTAMPTZ,
    serde_json::Value => Type::JSONB,
    Vec<u8> => Type::BYTEA,
    &[u8] => Type::BYTEA,
    Vec<i32> => Type::INT4_ARRAY,
    Vec<i64> => Type::INT8_ARRAY,
    Vec<f32> => Type::FLOAT4_ARRAY,
    Vec<String> => Type::TEXT_ARRAY,
    Vec<Vec<u8>> => Type::BYTEA_ARRAY,
    Vec<Uuid> => Type::UUID_ARRAY,
}

impl Param for Vector {
    fn sql_type(&self, vector: &Type) -> Type {
        vector.clone()
    }
}

impl Param for Option<Vector> {
    fn sql_type(&self, vector: &Type) -> Type {
        vector.clone()
    }
}
