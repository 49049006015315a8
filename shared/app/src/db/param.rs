//! Statement parameters that know their Postgres type, so that one trip both prepares and runs a statement
//! (no second trip to ask the server, and nothing that a transaction pooler could mix up).

use pgvector::Vector;
use tokio_postgres::types::{Kind, ToSql, Type};
use uuid::Uuid;

/// A value that can be bound.
pub trait Param: ToSql + Sync {
    fn sql_type(&self, vectors: &VectorTypes) -> Type;
}

/// pgvector's types, whose ids differ by database.
#[derive(Clone, Debug)]
pub struct VectorTypes {
    one: Type,
    many: Type,
}

impl VectorTypes {
    pub fn new(one: u32, many: u32) -> VectorTypes {
        let one = Type::new("vector".to_owned(), one, Kind::Simple, "public".to_owned());
        let many = Type::new("_vector".to_owned(), many, Kind::Array(one.clone()), "public".to_owned());
        VectorTypes { one, many }
    }
}

impl Default for VectorTypes {
    fn default() -> VectorTypes {
        VectorTypes { one: Type::UNKNOWN, many: Type::UNKNOWN }
    }
}

macro_rules! params {
    ($($rust:ty => $sql:expr),* $(,)?) => {$(
        impl Param for $rust {
            fn sql_type(&self, _: &VectorTypes) -> Type { $sql }
        }
        impl Param for Option<$rust> {
            fn sql_type(&self, _: &VectorTypes) -> Type { $sql }
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
    Vec<Option<i32>> => Type::INT4_ARRAY,
    Vec<i64> => Type::INT8_ARRAY,
    Vec<f64> => Type::FLOAT8_ARRAY,
    Vec<String> => Type::TEXT_ARRAY,
    Vec<&str> => Type::TEXT_ARRAY,
    Vec<Vec<u8>> => Type::BYTEA_ARRAY,
    Vec<Uuid> => Type::UUID_ARRAY,
}

impl Param for Vector {
    fn sql_type(&self, vectors: &VectorTypes) -> Type {
        vectors.one.clone()
    }
}

impl Param for Option<Vector> {
    fn sql_type(&self, vectors: &VectorTypes) -> Type {
        vectors.one.clone()
    }
}

/// Half the bytes of an array of floats for each vector, and no cast on the server.
impl Param for Vec<&Vector> {
    fn sql_type(&self, vectors: &VectorTypes) -> Type {
        vectors.many.clone()
    }
}
