//! Questions in SQL, for people: read-only, over views that show each kind of record as a table.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rusqlite::{
    Batch, Connection,
    fallible_iterator::FallibleIterator as _,
    hooks::{AuthAction, AuthContext, Authorization},
    types::ValueRef,
};
use serde_json::{Map, Value, json};

use super::{SqliteStore, connection, files};
use crate::model::{
    error::{OpError, Reason},
    instance::InstanceId,
    kind,
};

/// The tables that a question may be asked of.
const VIEWS: &str = include_str!("views.sql");
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Rows of an answer, one at a time: the names of the columns and their values.
pub(super) type Rows<'r> = dyn FnMut(&[String], &[Value]) -> Result<(), OpError> + 'r;

impl SqliteStore {
    /// Asks an instance in SQL. Nothing can be written and no other file be opened; it is given up when it `is_late`.
    ///
    /// Errors: `invalid_argument` with SQLite's own words; what opening an instance says.
    pub fn query(
        &self,
        id: &InstanceId,
        sql: &str,
        is_late: impl FnMut() -> bool + Send + 'static,
        rows: &mut Rows<'_>,
    ) -> Result<(), OpError> {
        self.refuse_network()?;
        let folder = self.folder(id);
        let mut connection = connection::open_reader(&folder)?;
        prepare(&mut connection, is_late)
            .map_err(|error| connection::explain(&error, &folder.join(files::DATABASE)))?;
        ask(&connection, sql, rows)
    }
}

fn prepare(connection: &mut Connection, is_late: impl FnMut() -> bool + Send + 'static) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let internal = kind::INTERNAL.map(|kind| format!("'{kind}'")).join(", ");
    connection.execute_batch(&VIEWS.replace("$internal", &internal))?;
    connection.authorizer(Some(|asked: AuthContext<'_>| match asked.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        // No other file is attached or written, no setting changed, whatever the statement is called.
        _ => Authorization::Deny,
    }))?;
    connection.progress_handler(STEPS, Some(is_late))
}

fn ask(connection: &Connection, sql: &str, rows: &mut Rows<'_>) -> Result<(), OpError> {
    let told = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => OpError::Unavailable {
            reason: Reason::Busy,
            what: "the question took too long and was given up".into(),
            remedy: "ask for less: what reads for long keeps the store from tidying up".into(),
        },
        _ => OpError::invalid("sql", error.to_string(), ""),
    };
    let mut statements = Batch::new(connection, sql);
    let one = || OpError::invalid("sql", "it is one statement", sql);
    let mut statement = statements.next().map_err(told)?.ok_or_else(one)?;
    if statements.next().map_err(told)?.is_some() {
        return Err(one());
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query([]).map_err(told)?;
    while let Some(row) = found.next().map_err(told)? {
        let values: Vec<Value> =
            (0..names.len()).map(|column| row.get_ref(column).map(as_json)).collect::<Result<_, _>>().map_err(told)?;
        rows(&names, &values)?;
    }
    Ok(())
}

fn as_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => json!({"base64": BASE64.encode(bytes)}),
    }
}

/// A row as an object.
pub fn object(names: &[String], values: &[Value]) -> Map<String, Value> {
    names.iter().cloned().zip(values.iter().cloned()).collect()
}
