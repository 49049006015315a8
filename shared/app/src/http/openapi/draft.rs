//! One operation's description while its parts are being told.

use std::collections::BTreeSet;

use http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The schemas that operations share. A type may be written otherwise than it is read, so there are two of each.
pub struct Schemas {
    /// Of what clients send.
    pub sent: SchemaGenerator,
    /// Of what they are answered.
    pub answered: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Schemas {
        let settings =
            SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
        Schemas {
            sent: settings.clone().for_deserialize().into_generator(),
            answered: settings.for_serialize().into_generator(),
        }
    }
}

pub struct Draft<'a> {
    path: &'a str,
    schemas: &'a mut Schemas,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
    security: Vec<Value>,
    /// Statuses of what may go wrong; whatever else may is told by `default`.
    failures: BTreeSet<u16>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(path: &'a str, schemas: &'a mut Schemas) -> Draft<'a> {
        Draft {
            path,
            schemas,
            parameters: Vec::new(),
            body: None,
            responses: Map::new(),
            security: Vec::new(),
            failures: BTreeSet::new(),
        }
    }

    /// A credential that is enough by itself, and the scope that it must have.
    pub fn admits(&mut self, scheme: &str, scope: Option<&str>) {
        self.security.push(json!({ scheme: Vec::from_iter(scope) }));
    }

    pub fn fails(&mut self, statuses: &[StatusCode]) {
        self.failures.extend(statuses.iter().map(StatusCode::as_u16));
    }

    pub fn header(&mut self, name: &str, description: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description, "schema": { "type": "string" },
        }));
    }

    /// The names between braces, in their order, with the parts of `T`.
    pub fn path<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(&mut self.schemas.sent).to_value();
        let parts = schema.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![schema]);
        let names = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        for (name, schema) in names.zip(parts) {
            self.parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }

    pub fn query<T: JsonSchema>(&mut self) {
        let object = T::json_schema(&mut self.schemas.sent).to_value();
        let required = object["required"].as_array();
        for (name, schema) in object["properties"].as_object().into_iter().flatten() {
            let required = required.is_some_and(|names| names.contains(&json!(name)));
            let mut schema = present(schema);
            let mut parameter = json!({ "name": name, "in": "query", "required": required });
            if let Some(description) = schema.remove("description") {
                parameter["description"] = description;
            }
            parameter["schema"] = Value::Object(schema);
            self.parameters.push(parameter);
        }
    }

    pub fn body<T: JsonSchema>(&mut self) {
        let schema = self.schemas.sent.subschema_for::<T>();
        self.body = Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
    }

    pub fn answers(&mut self, status: StatusCode) -> &mut Value {
        let said = json!({ "description": status.canonical_reason().unwrap_or_default() });
        self.responses.entry(status.as_str()).or_insert(said)
    }

    pub fn answers_with<T: JsonSchema>(&mut self, status: StatusCode, media: &str) {
        let schema = self.schemas.answered.subschema_for::<T>();
        self.answers(status)["content"][media] = json!({ "schema": schema });
    }

    /// OpenAPI 3.1 has no word for the items of a stream (3.2 calls it `itemSchema`), so that tools take the schema for
    /// that of one event, whose data is JSON in a text.
    pub fn streams<T: JsonSchema>(&mut self) {
        let item = self.schemas.answered.subschema_for::<T>();
        self.answers(StatusCode::OK)["content"]["text/event-stream"] = json!({
            "schema": {
                "type": "object",
                "description": "One of the server-sent events. The last data of an answer's stream is `[DONE]`.",
                "properties": {
                    "data": { "type": "string", "contentMediaType": "application/json", "contentSchema": item },
                    "event": { "type": "string" },
                    "id": { "type": "string" },
                    "retry": { "type": "integer" },
                },
            },
        });
    }

    pub(super) fn finish(mut self) -> Value {
        self.fails(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE]);
        for status in self.failures {
            let failure = json!({ "$ref": format!("#/components/responses/{status}") });
            self.responses.entry(status.to_string()).or_insert(failure);
        }
        self.responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/default" }));
        let mut operation = json!({ "security": self.security, "responses": self.responses });
        if !self.parameters.is_empty() {
            operation["parameters"] = Value::Array(self.parameters);
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation
    }
}

/// What stands in an address is there or is not: it cannot be null.
fn present(schema: &Value) -> Map<String, Value> {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut any)) = schema.remove("anyOf") {
        any.retain(|one| one["type"] != "null");
        for one in any {
            schema.extend(one.as_object().cloned().unwrap_or_default());
        }
    }
    schema
}
