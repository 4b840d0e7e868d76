//! One reader in a hundred that stops reading: what the others notice, and what becomes of it.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::bench::Plan;
use crate::cli::bench::figures::{median, median_known, median_ratio, number, percentile};
use crate::cli::bench::report::{Column, Ratio, Report};

use super::crowd::{Crowd, Form, Published, Round};
use super::fanout::opened;
use super::socket::{Door, SILENCE, Socket, at, kind};
use super::stand::{Stand, name};

const COLUMNS: &[Column] = &[
    Column { key: "messages_per_s", heading: "messages/s", decimals: 0 },
    Column { key: "p50_ms", heading: "lag p50 ms", decimals: 2 },
    Column { key: "p99_ms", heading: "lag p99 ms", decimals: 2 },
];
/// Large enough that what is kept for one who is behind is soon full.
const VALUE_BYTES: usize = 16 * 1024;
const MESSAGES: usize = 700;
const WINDOW: usize = 8;
/// Who is still there after so long, though it reads nothing, will not be let go.
const PATIENCE: Duration = Duration::from_mins(1);

/// What became of a reader that had stopped.
enum Fate {
    /// It was told that it had fallen behind, after so many messages, and then what it had missed.
    Resynced(u64),
    /// Its connection had been ended.
    Ended(String),
}

/// Rounds in which all read, and in which one does not.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (others, rounds) = if plan.quick { (19, 1) } else { (99, 3) };
    let stand = Stand::new(plan, 1, &[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let door = &stand.door;
        let writer = door.synced(&name(0)).await?;
        let mut crowd = Crowd::new(Form::Set(VALUE_BYTES), writer, opened(door, Some(&name(0)), others).await?);
        let (mut all_read, mut one_stalled, mut fate) = (Vec::new(), Vec::new(), None);
        let round = Round { messages: MESSAGES, window: WINDOW };
        // What comes first is slow.
        crowd.publish(Round { messages: MESSAGES / 10, window: WINDOW }).await?;
        for _ in 0..rounds {
            let mut reading = door.synced(&name(0)).await?;
            let reader = tokio::spawn(async move { while let Some(Ok(_)) = reading.ws.next().await {} });
            let published = crowd.publish(round).await;
            reader.abort();
            let with_all = published?;
            let stalled = stalling(door).await?;
            let with_one_stalled = crowd.publish(round).await?;
            all_read.push(with_all);
            one_stalled.push(with_one_stalled);
            fate = Some(fate_of(stalled).await?);
        }
        let let_go = if plan.quick { None } else { let_go(door, &mut crowd, round).await? };
        Ok(report(others, &all_read, &one_stalled, fate.as_ref(), let_go))
    })
}

/// A reader that has been shown the state and reads no more.
async fn stalling(door: &Door) -> anyhow::Result<Socket> {
    let mut socket = door.open_small(&at(&name(0))).await?;
    socket.state().await?;
    Ok(socket)
}

/// Reads on.
async fn fate_of(mut stalled: Socket) -> anyhow::Result<Fate> {
    let mut taken = 0;
    loop {
        match timeout(SILENCE, stalled.ws.next()).await.context("one that had stalled is told nothing")? {
            Some(Ok(Message::Text(text))) if kind(&text) == "resync" => {
                stalled.next_of("sync").await?;
                return Ok(Fate::Resynced(taken));
            }
            Some(Ok(Message::Close(frame))) => return Ok(Fate::Ended(format!("closed, {frame:?}"))),
            Some(Ok(_)) => taken += 1,
            Some(Err(error)) => return Ok(Fate::Ended(error.to_string())),
            None => return Ok(Fate::Ended("ended".to_owned())),
        }
    }
}

/// How many seconds it takes until one is let go that goes on reading nothing: then it is not among those present.
async fn let_go(door: &Door, crowd: &mut Crowd, round: Round) -> anyhow::Result<Option<f64>> {
    let stalled = stalling(door).await?;
    let begun = Instant::now();
    crowd.publish(round).await?;
    let mut observer = door.synced(&name(0)).await?;
    observer.send(r#"{"type":"presence","follow":true}"#).await?;
    let count = |told: &str| told.matches(r#""connection":""#).count();
    let most = count(&observer.next_of("presence").await?);
    let gone = async {
        while count(&observer.next_of("presence").await?) >= most {}
        anyhow::Ok(begun.elapsed().as_secs_f64())
    };
    let gone = timeout(PATIENCE, gone).await;
    drop(stalled);
    // An error: it is still there.
    gone.ok().transpose()
}

fn report(
    others: u64,
    all_read: &[Published],
    one_stalled: &[Published],
    fate: Option<&Fate>,
    let_go: Option<f64>,
) -> Report {
    let p99 = |rounds: &[Published]| rounds.iter().map(|each| percentile(&each.lags, 99)).collect::<Vec<_>>();
    let p50 = |rounds: &[Published]| rounds.iter().map(|each| median(&each.lags)).collect::<Vec<_>>();
    let row = |what: &str, rounds: &[Published]| {
        let rate = median_known(rounds.iter().map(Published::per_second));
        (what.to_owned(), vec![rate, median_known(p50(rounds)), median_known(p99(rounds))])
    };
    let (told, taken) = match fate {
        Some(Fate::Resynced(taken)) => ("resynced when it reads on".to_owned(), Some(*taken)),
        Some(Fate::Ended(how)) => (format!("ended: {how}"), None),
        None => ("not known".to_owned(), None),
    };
    let ratio = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    Report {
        name: "sync_stalled",
        about: format!(
            "{MESSAGES} messages of {} KiB a round to {others} readers and one more, which stops reading; medians of \
             {} rounds; it is {told}",
            VALUE_BYTES / 1024,
            all_read.len()
        ),
        columns: COLUMNS,
        rows: vec![row("all read", all_read), row("one has stalled", one_stalled)],
        ratios: vec![
            ratio(
                "p99",
                "p99 lag of the others, one stalled over all reading",
                median_ratio(&p99(one_stalled), &p99(all_read)),
                "at most 1.2",
            ),
            ratio(
                "p50",
                "p50 lag of the others, one stalled over all reading",
                median_ratio(&p50(one_stalled), &p50(all_read)),
                "",
            ),
            ratio("taken", "messages that it got before it was resynced", taken.map(number), ""),
            ratio("let_go_s", "seconds until one is let go that never reads on", let_go, ""),
        ],
    }
}
