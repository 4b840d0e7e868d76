// The connection: follows the changes, says how it is, and tries again when it is lost.
import { signal } from '../vendor/ui.mjs';
import { about } from '../net/api.mjs';
import { follow } from '../net/feed.mjs';
import { connection, updated } from './app.mjs';
import { apply, asOfSeq, failure, refresh } from './keys.mjs';

/** Each open key hears of its changes; set by who edits. */
export const listeners = new Set();
/** Called when the connection is back; answers how many changes were saved that had waited. */
export const onBack = { run: async () => 0 };
export const back = signal(null);

const SILENT_MS = 25_000;
/** A browser opens six connections to a server: a tab that nobody looks at gives its own back after a while. */
const HIDDEN_MS = 30_000;
let attempt = null;
let resting = null;
let abort = null;
let seen = 0;
let heardAt = 0;
let pending = [];
let frame = 0;
let failures = 0;
let page = null;
let wake = null;
let current = null;

/** Follows an instance after a seq, for good. */
export function start(instance, since, hash) {
  stop();
  current = instance;
  seen = since;
  page ??= hash;
  pending = [];
  run(instance);
}

export function stop() {
  abort?.abort();
  abort = null;
  wake?.();
}

/** Tries at once. */
export const tryNow = () => wake?.();

async function run(instance) {
  const mine = new AbortController();
  abort = mine;
  while (abort === mine) {
    attempt = new AbortController();
    mine.signal.addEventListener('abort', attempt.abort.bind(attempt));
    heardAt = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - heardAt > SILENT_MS) attempt.abort();
    }, 1000);
    let ended = 'lost';
    try {
      await follow(instance, seen, {
        signal: attempt.signal,
        alive: () => {
          heardAt = Date.now();
        },
        on: (name, data) => {
          if (abort === mine) ended = event(name, data) || ended;
        },
      });
    } catch (error) {
      ended = error.code === 'signed_out' || error.code === 'not_found' ? error.code : 'lost';
    }
    clearInterval(watch);
    if (abort !== mine) return;
    if (ended === 'signed_out') {
      connection.value = { state: 'signed_out' };
      return;
    }
    if (ended === 'not_found') {
      connection.value = { state: 'gone' };
      return;
    }
    if (ended === 'truncated') {
      await refresh();
      seen = asOfSeq();
      continue;
    }
    if (resting) {
      await resting.over;
      continue;
    }
    failures += 1;
    await pause(mine);
  }
}

/** Waits longer each time, a second at first and at most eight, and says how long. */
async function pause(mine) {
  const seconds = Math.min(8, 2 ** Math.min(failures - 1, 3));
  const until = Date.now() + seconds * 1000;
  connection.value = { state: failures >= 3 ? 'stopped' : 'lost', until };
  await new Promise(resolve => {
    const timer = setTimeout(resolve, seconds * 1000);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  wake = null;
  if (abort !== mine) return;
}

function event(name, data) {
  if (name === 'change') {
    pending.push(data);
    seen = data.seq;
    schedule();
  } else if (name === 'position') {
    const wasLost = failures > 0;
    failures = 0;
    seen = Math.max(seen, data.as_of_seq);
    const behind = data.head_seq - data.as_of_seq;
    connection.value = behind > 500 ? { state: 'behind', behind } : { state: 'live' };
    if (wasLost || failure.peek()) returned();
  } else if (name === 'truncated' || name === 'signed_out') return name;
  return null;
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

let restTimer = null;
function rest() {
  let end;
  resting = { over: new Promise(resolve => { end = resolve; }), end: () => end() };
  attempt?.abort();
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(restTimer);
  if (document.hidden) restTimer = setTimeout(rest, HIDDEN_MS);
  else {
    resting?.end();
    resting = null;
  }
  if (document.hidden || !current) return;
  // What a frame of a hidden page has not shown is shown now.
  if (pending.length) {
    frame = 0;
    schedule();
  }
  if (Date.now() - heardAt > SILENT_MS / 2) tryNow();
});
addEventListener('online', () => tryNow());
