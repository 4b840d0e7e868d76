//! The file of the reference MCP memory server: a graph, an entity or a relation a line. An entity becomes a json key
//! of its name, with its observations and the relations that begin at it, and its type as a tag.

use std::{collections::BTreeMap, io::Read};

use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    key::KeyType,
    portable::{Item, Portable, Sink},
    value::Content,
};

/// Largest file; that server has it whole in memory too.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    #[serde(rename_all = "camelCase")]
    Entity {
        name: String,
        #[serde(default)]
        entity_type: String,
        #[serde(default)]
        observations: Vec<String>,
    },
    #[serde(rename_all = "camelCase")]
    Relation { from: String, to: String, relation_type: String },
}

/// An entity as the value of a key, with the words of that server.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    #[serde(rename = "entityType")]
    class: String,
    observations: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relations: Vec<Relation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relation {
    relation_type: String,
    to: String,
}

/// Whether a line is of such a file.
pub fn is_graph(line: &str) -> bool {
    serde_json::from_str::<Line>(line).is_ok()
}

/// Reads the entities of a graph. Errors: `invalid_argument` with line and reason; what the sink refuses.
pub fn read(source: impl Read, sink: &mut Sink<'_>) -> Result<(), OpError> {
    let refused = |line: usize, rule: String| OpError::invalid(format!("line {line}"), rule, "");
    let mut text = String::new();
    let read = source.take(FILE_BYTES + 1).read_to_string(&mut text);
    if read.map_err(|error| refused(1, format!("it cannot be read: {error}")))? as u64 > FILE_BYTES {
        return Err(refused(1, "a graph has at most 64 MiB".into()));
    }
    let mut entities: BTreeMap<String, Entity> = BTreeMap::new();
    let mut relations = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = serde_json::from_str(line)
            .map_err(|error| refused(index + 1, format!("this is no entity and no relation: {error}")))?;
        match line {
            Line::Entity { name, entity_type, observations } => {
                // That server's races leave an entity twice: what both know is kept.
                let entity = entities.entry(name).or_default();
                entity.class = entity_type;
                for each in observations {
                    if !entity.observations.contains(&each) {
                        entity.observations.push(each);
                    }
                }
            }
            Line::Relation { from, to, relation_type } => relations.push((from, Relation { relation_type, to })),
        }
    }
    for (from, relation) in relations {
        // One that begins nowhere is not lost: it makes the entity that it names.
        entities.entry(from).or_default().relations.push(relation);
    }
    entities.into_iter().try_for_each(|(name, entity)| sink(item(&name, &entity)))
}

fn item(name: &str, entity: &Entity) -> Item {
    Item::of(name, |name| {
        let value = serde_json::to_string(entity).map_err(|error| OpError::invalid("value", error.to_string(), ""))?;
        let tag = Some(entity.class.clone());
        let tag = tag.filter(|tag| crate::model::key::check_tags(std::slice::from_ref(tag)).is_ok());
        Ok(Portable {
            key_type: KeyType::Json,
            content: Content::Text(value),
            tags: tag.into_iter().collect(),
            ..Portable::text(name, String::new())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_become_keys_with_their_relations() {
        let text = r#"{"type":"entity","name":"Mira","entityType":"person","observations":["likes tea"]}
{"type":"relation","from":"Mira","to":"Acme","relationType":"works_at"}
{"type":"entity","name":"Mira","entityType":"person","observations":["likes tea","runs"]}

{"type":"relation","from":"Nobody","to":"Acme","relationType":"knows"}"#;
        let mut keys = Vec::new();
        read(text.as_bytes(), &mut |item| {
            let Item::Key(key) = item else { panic!("{item:?}") };
            keys.push((
                key.name.to_string(),
                key.tags.join(","),
                String::from_utf8_lossy(key.content.as_bytes()).into_owned(),
            ));
            Ok(())
        })
        .unwrap();
        let mira = r#"{"entityType":"person","observations":["likes tea","runs"],"relations":[{"relationType":"works_at","to":"Acme"}]}"#;
        assert_eq!(keys[0], ("Mira".into(), "person".into(), mira.into()));
        assert_eq!(keys[1].0, "Nobody");
        let error = read(format!("{text}\n{{\"type\":\"x\"}}").as_bytes(), &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("line 6: "), "{error}");
    }
}
