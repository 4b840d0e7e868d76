//! The same requests on a server with ten thousand API keys and instances, beside one with ten: ten of them are in use
//! on both, each by a key that reaches no further.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::{
    kernel::{Caller, Kernel, clock::SystemClock},
    model::{
        instance::{InstanceId, InstanceRef},
        permission::{Mode, PrincipalKind},
    },
    ops::{
        access::keys,
        instances::{Create, catalog},
        keys::write::Write,
        operation::Operation as _,
        procedure::Arguments as _,
    },
    store::sqlite::{DurabilitySetting, SqliteStore},
};

use super::{Kind, LIST, first, operation, span};
use crate::cli::bench::{
    Plan,
    client::{Ask, HttpServer, Plain},
    figures::{grouped, median, median_known, median_ratio, percentile},
    flight::{Flight, Limit, fly_http},
    report::{Column, Ratio, Report},
    scratch::Scratch,
    workload::{key, value},
};

const COLUMNS: &[Column] = &[
    Column { key: "requests_per_s", heading: "requests/s", decimals: 0 },
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
    Column { key: "cpu_us_per_request", heading: "CPU us/request", decimals: 1 },
];
/// Made at once while a store is filled: their records share commits.
const AT_ONCE: u64 = 64;
/// Keys and instances in use.
const USED: u64 = 10;
/// Keys of each instance in use.
const KEYS: u64 = 200;
const AIM: &str = "at most 1.5";

/// What is asked for.
const ACTS: [(Act, &str, &str, &str); 4] = [
    (Act::Key(Kind::Read), "read", "read_growth", "read, p50, many over few"),
    (Act::Key(Kind::Write), "write", "write_growth", "write, p50, many over few"),
    (Act::Key(Kind::List), "list", "list_growth", "list, p50, many over few"),
    (Act::Instances, "own instances", "instances_growth", "own instances, p50, many over few"),
];

#[derive(Clone, Copy)]
enum Act {
    Key(Kind),
    /// The instances that the key may see: its own.
    Instances,
}

/// An instance and a key to it.
struct Pair {
    instance: String,
    secret: String,
}

/// A server with so many keys and instances, and a connection for each in use.
struct Stand {
    count: u64,
    server: HttpServer,
    open: Vec<(Plain, String)>,
    /// For each act.
    flights: [Vec<Flight>; ACTS.len()],
    _store: Scratch,
}

/// Both servers answer in turn.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    // One less than there may be: the instance that is made at the first start is one too.
    let many = if plan.quick { 50 } else { 10_000 } - 1;
    let rounds = if plan.quick { 1 } else { 5 };
    let mut stands = [Stand::new(plan, USED)?, Stand::new(plan, many)?];
    for round in first(plan)..=rounds {
        for (at, (act, ..)) in ACTS.iter().enumerate() {
            for stand in &mut stands {
                let flight = stand.fly(plan, *act, round)?;
                if round > 0
                    && let Some(flights) = stand.flights.get_mut(at)
                {
                    flights.push(flight);
                }
            }
        }
    }
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    let [few, many] = &stands;
    for ((_, name, key, label), (with_few, with_many)) in ACTS.iter().zip(few.flights.iter().zip(&many.flights)) {
        rows.push(row(name, few.count, with_few));
        rows.push(row(name, many.count, with_many));
        let value = median_ratio(&middle(with_many), &middle(with_few));
        ratios.push(Ratio { key, label: (*label).to_owned(), value, aim: AIM });
    }
    let about = format!(
        "{USED} connections, each with an API key for an instance of its own with {KEYS} keys, among {} keys and \
         instances, interleaved rounds: {rounds}",
        grouped(many.count)
    );
    Ok(Report { name: "rest_crowd", about, columns: COLUMNS, rows, ratios })
}

fn middle(flights: &[Flight]) -> Vec<Option<f64>> {
    flights.iter().map(Flight::p50).collect()
}

fn row(name: &str, count: u64, flights: &[Flight]) -> (String, Vec<Option<f64>>) {
    let trips: Vec<f64> = flights.iter().flat_map(|flight| flight.round_trips.iter().copied()).collect();
    let figures = vec![
        median_known(flights.iter().map(Flight::per_second)),
        median(&trips),
        percentile(&trips, 99),
        median_known(flights.iter().map(Flight::cpu_per_call)),
    ];
    (format!("{name}, {} keys and instances", grouped(count)), figures)
}

impl Stand {
    fn new(plan: &Plan, count: u64) -> anyhow::Result<Self> {
        let store = Scratch::new(&plan.dir)?;
        let used = filled(&store, count).with_context(|| format!("cannot make {count} keys and instances"))?;
        let server = HttpServer::mindcache(&store)?;
        let connect = |pair: Pair| Ok((server.connect_plain(Some(&pair.secret))?, pair.instance));
        let open = used.into_iter().map(connect).collect::<anyhow::Result<_>>()?;
        Ok(Self { count, server, open, flights: Default::default(), _store: store })
    }

    fn fly(&mut self, plan: &Plan, act: Act, round: u64) -> anyhow::Result<Flight> {
        let calls = if plan.quick { 150 } else { 2_000 };
        let limit = Limit { calls, span: span(plan) };
        fly_http(&self.server, &mut self.open, limit, &|(connection, instance), turn| {
            connection.ask(&act.ask(round * 10_000 + turn, instance))
        })
    }
}

impl Act {
    fn ask(self, turn: u64, instance: &str) -> Ask {
        match self {
            Self::Key(kind) => kind.ask(turn, KEYS, instance),
            Self::Instances => operation(instance, catalog::List::NAME, &json!({"limit": LIST})),
        }
    }
}

/// A kernel on the data folder of a store, for what would take minutes over HTTP.
fn kernel(store: &Scratch) -> anyhow::Result<(tokio::runtime::Runtime, Arc<Kernel>, Caller)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // What is lost in a power cut is made again by who measures.
    let opened = SqliteStore::new(store.store(), DurabilitySetting::Normal, 0)?;
    let kernel = Kernel::new(Arc::new(opened), Arc::new(SystemClock { zone: TimeZone::UTC }));
    Ok((runtime, kernel, Caller::local(PrincipalKind::Human, Mode::Edit, "bench", String::new())))
}

/// A key for everything in the store's default project.
pub(super) fn key_of(store: &Scratch) -> anyhow::Result<String> {
    let (runtime, kernel, caller) = kernel(store)?;
    let args = json!({"name": "bench", "permissions": ["read", "write", "admin"]});
    runtime.block_on(async {
        let made = done(&kernel, &caller, keys::Create::NAME, args).await?;
        text(&made, "secret")
    })
}

/// Makes so many instances, each with a key of its own; answers those that will be used, spread over all.
fn filled(store: &Scratch, count: u64) -> anyhow::Result<Vec<Pair>> {
    let (runtime, kernel, caller) = kernel(store)?;
    runtime.block_on(async {
        let mut used = Vec::new();
        let mut next = 0;
        while next < count {
            let until = (next + AT_ONCE).min(count);
            let (mut making, mut made) = (tokio::task::JoinSet::new(), Vec::new());
            for number in next..until {
                let (kernel, caller) = (Arc::clone(&kernel), caller.clone());
                drop(making.spawn(async move { (number, pair(&kernel, &caller, number).await) }));
            }
            while let Some(each) = making.join_next().await {
                let (number, pair) = each?;
                made.push((number, pair?));
            }
            let step = (count / USED).max(1);
            let is_used = |number: u64| number.is_multiple_of(step) && number / step < USED;
            used.extend(made.into_iter().filter(|(number, _)| is_used(*number)).map(|(_, pair)| pair));
            next = until;
        }
        for pair in &used {
            let instance = InstanceRef::parse(&pair.instance)?;
            for number in 0..KEYS {
                let args = json!({"key": key(number), "value": value(number)});
                kernel.execute(&caller, &instance, Write::NAME, args).await?;
            }
        }
        Ok(used)
    })
}

async fn pair(kernel: &Kernel, caller: &Caller, number: u64) -> anyhow::Result<Pair> {
    let instance = text(&done(kernel, caller, Create::NAME, json!({"name": format!("i{number:05}")})).await?, "id")?;
    let args = json!({"name": "bench", "scopes": [format!("instance:{instance}")]});
    let secret = text(&done(kernel, caller, keys::Create::NAME, args).await?, "secret")?;
    Ok(Pair { instance, secret })
}

/// Does an operation of the catalog.
async fn done(kernel: &Kernel, caller: &Caller, name: &str, args: Value) -> anyhow::Result<Value> {
    Ok(kernel.execute(caller, &InstanceRef::Id(InstanceId::catalog()), name, args).await?.result)
}

fn text(result: &Value, member: &str) -> anyhow::Result<String> {
    let text = result.get(member).and_then(Value::as_str).map(str::to_owned);
    text.with_context(|| format!("an answer without {member}"))
}
