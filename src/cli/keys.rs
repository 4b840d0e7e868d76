//! Commands on keys: `get`, `set`, `ls`, `rm`, `attr`, `call`.

use std::{
    io::{Cursor, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    model::{error::OpError, key::KeyType},
    ops::{
        keys::{attributes::SetAttributes, delete::Delete, list::List, read::Read as ReadKey},
        operation::Operation,
    },
};

use super::{
    Session, complete,
    output::{Failure, Output},
    words::harmless,
};

/// `get`.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
}

/// Prints a value exactly; images and files as their bytes.
pub(super) async fn get(args: GetArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return get_json(args, session, output).await;
    }
    session.begin().await?;
    let mut value = session.kernel.open_value(&session.caller, &session.instance, &args.key)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = value.reader.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        output.raw(read)?;
    }
    output.end_of_value()
}

/// How often it begins anew when somebody writes the key between two pieces.
const TRIES: usize = 5;

/// Prints a key with its whole value, as `read_key` shows it.
async fn get_json(args: GetArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut changed = (0, 0);
    for _ in 0..TRIES {
        let mut whole = session.execute(ReadKey::NAME, json!({"key": args.key})).await?.result;
        let version = whole.get("version").cloned();
        let mut next = whole.get("next_offset").cloned();
        let mut bytes = bytes_of(&whole)?;
        while let Some(offset) = &next {
            let piece = session.execute(ReadKey::NAME, json!({"key": args.key, "offset": offset})).await?.result;
            if piece.get("version") != version.as_ref() {
                let number = |version: Option<&Value>| version.and_then(Value::as_u64).unwrap_or_default();
                changed = (number(version.as_ref()), number(piece.get("version")));
                break;
            }
            bytes.extend(bytes_of(&piece)?);
            next = piece.get("next_offset").cloned();
        }
        if next.is_some() {
            continue;
        }
        let value = if is_binary(&whole) { BASE64.encode(bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
        if let Some(object) = whole.as_object_mut() {
            object.insert("value".into(), value.into());
            object.shift_remove("truncated");
            object.shift_remove("next_offset");
        }
        return output.structured(&whole);
    }
    let what = format!("key \"{}\"", args.key);
    Err(OpError::VersionMismatch { what, expected: changed.0, current: changed.1 }.into())
}

fn is_binary(result: &Value) -> bool {
    result.get("type").is_some_and(|kind| kind == KeyType::Image.name() || kind == KeyType::File.name())
}

fn bytes_of(result: &Value) -> Result<Vec<u8>, Failure> {
    let value = result.get("value").and_then(Value::as_str).unwrap_or_default();
    if is_binary(result) {
        return BASE64.decode(value).map_err(|error| Failure::Other(error.into()));
    }
    Ok(value.as_bytes().to_vec())
}

/// `set`.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// Value; left out or -, standard input is read
    value: Option<String>,
    /// Read the value from a file
    #[arg(long, value_name = "F", conflicts_with = "value")]
    file: Option<PathBuf>,
    /// text, json, image or file [default: the key's, else told from the file's name]
    #[arg(long = "type", value_name = "TYPE")]
    key_type: Option<String>,
    /// MIME type, such as image/png
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Content tags, replacing the old ones: A,B
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    tags: Option<Vec<String>>,
    /// Expire after so many milliseconds
    #[arg(long, value_name = "MS")]
    ttl_ms: Option<u64>,
    /// Only if the key is at this version; 0: only if it does not exist
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// How much of a value is in memory at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Writes a key.
pub(super) async fn set(args: SetArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut source = source(&args)?;
    let mut call = Map::from_iter([("key".to_owned(), Value::from(args.key))]);
    let mut key_type = args.key_type;
    let mut content_type = args.content_type;
    if key_type.is_none()
        && let Some((guessed_type, guessed_content)) = args.file.as_deref().and_then(guess)
    {
        key_type = Some(guessed_type.name().into());
        content_type.get_or_insert_with(|| guessed_content.into());
    }
    put(&mut call, "type", key_type);
    put(&mut call, "content_type", content_type);
    put(&mut call, "tags", args.tags.map(without_empty));
    put(&mut call, "ttl_ms", args.ttl_ms);
    put(&mut call, "if_version", args.if_version);
    session.begin().await?;
    let mut value = session.kernel.begin_value(&session.caller, &session.instance)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = source.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        value.push(read)?;
    }
    output.reply(&value.finish(call).await?)
}

fn put(call: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        call.insert(name.into(), value.into());
    }
}

fn source(args: &SetArgs) -> Result<Box<dyn Read>, Failure> {
    if let Some(path) = &args.file {
        let told = |error| Failure::Other(anyhow::anyhow!("cannot read {}: {error}", path.display()));
        return Ok(Box::new(std::fs::File::open(path).map_err(told)?));
    }
    match args.value.as_deref() {
        Some(value) if value != "-" => Ok(Box::new(Cursor::new(value.as_bytes().to_vec()))),
        given => {
            let stdin = std::io::stdin().lock();
            if given.is_none() && stdin.is_terminal() {
                return Err(Failure::Usage("no value: give one, name a --file, or pass - and type it".into()));
            }
            Ok(Box::new(stdin))
        }
    }
}

/// Type and MIME type of files that are known by their name.
fn guess(path: &Path) -> Option<(KeyType, &'static str)> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "png" => (KeyType::Image, "image/png"),
        "jpg" | "jpeg" => (KeyType::Image, "image/jpeg"),
        "gif" => (KeyType::Image, "image/gif"),
        "webp" => (KeyType::Image, "image/webp"),
        "svg" => (KeyType::Image, "image/svg+xml"),
        "pdf" => (KeyType::File, "application/pdf"),
        "zip" => (KeyType::File, "application/zip"),
        _ => return None,
    })
}

/// `ls`.
#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// Names that begin so
    #[arg(add = complete::keys())]
    prefix: Option<String>,
    /// Keys with this content tag
    #[arg(long)]
    tag: Option<String>,
    /// Keys of this type
    #[arg(long = "type", value_name = "TYPE")]
    key_type: Option<String>,
}

/// Lists keys, page after page.
pub(super) async fn ls(args: LsArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut call = Map::from_iter([("limit".to_owned(), Value::from(1000))]);
    put(&mut call, "prefix", args.prefix);
    put(&mut call, "tag", args.tag);
    put(&mut call, "type", args.key_type);
    let name = |key: &Value| key.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    session.print_all(List::NAME, call, name, output).await
}

/// `rm`.
#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// Only if the key is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// Deletes a key; one that is not there is a failure here, as `rm` has it.
pub(super) async fn rm(args: RmArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut call = Map::from_iter([("key".to_owned(), Value::from(args.key.as_str()))]);
    put(&mut call, "if_version", args.if_version);
    let reply = session.execute(Delete::NAME, Value::Object(call)).await?;
    if reply.result.get("deleted").is_some_and(|deleted| *deleted == false) {
        return Err(OpError::no_key(&args.key).into());
    }
    output.reply(&reply)
}

/// `attr`.
#[derive(Debug, Args)]
pub(super) struct AttrArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// All its system tags: SystemPrompt, LLMRead, LLMWrite, ApplyTemplate, protected
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    system_tags: Option<Vec<String>>,
    /// All its content tags
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    tags: Option<Vec<String>>,
    /// Its place in the prompt: lower comes first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    z_index: Option<i64>,
    /// What it is for, shown to models
    #[arg(long)]
    description: Option<String>,
    /// JSON Schema that each written value must satisfy; {} takes it away
    #[arg(long, value_name = "JSON")]
    schema: Option<String>,
}

/// Changes attributes, or shows them.
pub(super) async fn attr(args: AttrArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut call = Map::from_iter([("key".to_owned(), Value::from(args.key.as_str()))]);
    put(&mut call, "system_tags", args.system_tags.map(without_empty));
    put(&mut call, "tags", args.tags.map(without_empty));
    put(&mut call, "z_index", args.z_index);
    put(&mut call, "description", args.description);
    if let Some(schema) = &args.schema {
        call.insert("schema".into(), parse_json(schema, "--schema")?);
    }
    if call.len() > 1 {
        return output.reply(&session.execute(SetAttributes::NAME, Value::Object(call)).await?);
    }
    let mut reply = session.execute(ReadKey::NAME, json!({"key": args.key, "limit": 1})).await?;
    if let Some(object) = reply.result.as_object_mut() {
        for of_the_value in ["value", "truncated", "next_offset"] {
            object.shift_remove(of_the_value);
        }
    }
    if output.is_json() {
        return output.structured(&reply.result);
    }
    for (name, value) in reply.result.as_object().into_iter().flatten() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown = if output.is_for_a_person() { harmless(&shown) } else { shown };
        output.line(&format!("{name}: {shown}"))?;
    }
    Ok(())
}

/// `--tags ""` means none.
fn without_empty(words: Vec<String>) -> Vec<String> {
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// `call`.
#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// Operation name, as `mindcache call op_search '{"query": ""}'` lists them
    #[arg(add = complete::operations())]
    operation: String,
    /// Its arguments
    #[arg(default_value = "{}", value_name = "JSON")]
    args: String,
}

/// Calls any operation and prints its structured result.
pub(super) async fn call(args: CallArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let arguments = parse_json(&args.args, "the arguments")?;
    let reply = session.execute(&args.operation, arguments).await?;
    output.structured(&reply.result)
}

fn parse_json(text: &str, what: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Failure::Usage(format!("{what} must be a JSON object"))),
        Err(error) => Err(Failure::Usage(format!("{what} must be a JSON object: {error}"))),
    }
}
