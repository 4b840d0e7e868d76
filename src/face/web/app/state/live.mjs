// The connection: follows the changes, says how it is, and tries again when it is lost.
import { signal } from '../vendor/ui.mjs';
import { about } from '../net/api.mjs';
import { follow } from '../net/feed.mjs';
import { connection, updated } from './app.mjs';
import { anew, apply, failure, refresh } from './keys.mjs';

/** Each open key hears of its changes; set by who edits. */
export const listeners = new Set();
/** Called when the connection is back; answers how many changes were saved that had waited. */
export const onBack = { run: async () => 0 };
export const back = signal(null);

/** Changes that are on their way before the page says that it is behind. */
const BEHIND = 500;
/** Milliseconds without a connection, and tries, after which it is no passing loss. */
const PATIENCE_MS = 3000;
const TRIES = 3;
let feed = null;
/** Which instance it is of: what one says that is no more shown is of no use. */
let turn = 0;
let pending = [];
let frame = 0;
/** How often in a row there was no connection, and since when. */
let failures = 0;
let lostAt = 0;
let endedAt = -Infinity;
let page = null;

/** Follows an instance after a seq, for good. */
export function start(instance, since, hash) {
  stop();
  page ??= hash;
  pending = [];
  failures = 0;
  const mine = turn;
  const ours = act => (...told) => mine === turn && act(...told);
  feed = follow(instance, since, {
    changes: ours(came), gap: ours(anew), state: ours(became), ended: ours(ended),
    refused: ours(code => {
      stop();
      connection.value = { state: code === 'signed_out' ? code : 'gone' };
    }),
  });
}

export function stop() {
  turn += 1;
  feed?.disconnect();
  feed = null;
}

/** Tries at once; a connection that seems to be there is looked at. */
export const tryNow = () => feed?.hurry();

function became(state, pauseMs) {
  if (pauseMs === null) return;
  if (failures === 0) lostAt = Date.now();
  failures += 1;
  const isStopped = failures >= TRIES && Date.now() - lostAt > PATIENCE_MS;
  connection.value = { state: isStopped ? 'stopped' : 'lost', until: Date.now() + pauseMs };
}

/** The server has taken something back: what, is learnt by asking to be let in again. */
function ended() {
  const now = performance.now();
  if (now - endedAt > PATIENCE_MS) tryNow();
  endedAt = now;
}

function came(changes, { seq, head }) {
  const wasLost = failures > 0;
  failures = 0;
  pending.push(...changes);
  if (changes.length) schedule();
  const behind = head - seq;
  connection.value = behind > BEHIND ? { state: 'behind', behind } : { state: 'live' };
  if (wasLost || failure.peek()) returned();
}

/** Back after a loss: perhaps another version of the page belongs to the server now, and drafts wait. */
async function returned() {
  try {
    const found = await about();
    if (page && found.page !== page) updated.value = true;
  } catch {
    return;
  }
  // What was asked for meanwhile had no answer.
  refresh();
  const saved = await onBack.run();
  back.value = { saved, at: Date.now() };
}

/** Once a frame, or once a second where nobody looks. */
function schedule() {
  if (frame) return;
  const fold = () => {
    frame = 0;
    const changes = pending;
    pending = [];
    const last = new Map();
    for (const change of changes) {
      const existed = last.get(change.key)?.existed ?? change.change !== 'created';
      last.delete(change.key);
      last.set(change.key, { change, existed });
      for (const listener of listeners) listener(change);
    }
    apply([...last.values()]);
  };
  frame = document.hidden ? setTimeout(fold, 1000) : requestAnimationFrame(fold);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  // What a frame of a hidden page has not shown is shown now.
  if (pending.length) {
    frame = 0;
    schedule();
  }
  // A machine that slept may have lost it without a word.
  tryNow();
});
