//! How arguments name an instance: one that is there, or one that is to be.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::model::{
    error::OpError,
    instance::{InstanceId, InstanceRef},
    limits,
};

/// An instance by its name or id. The catalog is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which(InstanceRef);

impl Which {
    /// How the caller wrote it.
    pub fn reference(&self) -> &InstanceRef {
        &self.0
    }

    /// The name or id.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            InstanceRef::Id(id) => id.as_str(),
            InstanceRef::Name(name) => name,
        }
    }
}

impl From<InstanceId> for Which {
    fn from(id: InstanceId) -> Self {
        Self(InstanceRef::Id(id))
    }
}

impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match read(deserializer)? {
            InstanceRef::Id(id) if id.is_catalog() => {
                Err(D::Error::custom("the catalog is no instance that this can be done with"))
            }
            reference => Ok(Self(reference)),
        }
    }
}

/// The name of an instance that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName(String);

impl NewName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for NewName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match read(deserializer)? {
            InstanceRef::Name(name) => Ok(Self(name)),
            InstanceRef::Id(_) => Err(D::Error::custom("a name must not look like an id")),
        }
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<InstanceRef, D::Error> {
    InstanceRef::parse(&String::deserialize(deserializer)?).map_err(|error| match error {
        OpError::InvalidArgument { rule, .. } => D::Error::custom(rule),
        other => D::Error::custom(other),
    })
}

fn schema() -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": limits::INSTANCE_NAME_CHARACTERS})
}

impl JsonSchema for Which {
    fn schema_name() -> Cow<'static, str> {
        "Which".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema()
    }
}

impl JsonSchema for NewName {
    fn schema_name() -> Cow<'static, str> {
        "NewName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema()
    }
}
