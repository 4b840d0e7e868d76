// The list of keys: which rows are known, what is asked for, and what changes do to it.
import { batch, computed, signal } from '../vendor/ui.mjs';
import { op } from '../net/api.mjs';
import { connection, instance, place, speak } from './app.mjs';
import { facetsChanged } from './facets.mjs';
import { Window } from './window.mjs';

const PAGE = 100;
/** How long a row stays lit, and a writer counts as present. */
export const LIT_MS = matchMedia('(prefers-reduced-motion: reduce)').matches ? 4000 : 3200;
const PRESENT_MS = 5 * 60_000;

export const rows = new Window();
/** Moves with each change of `rows`: who draws them reads it. */
export const drawn = signal(0);
export const total = signal(null);
export const failure = signal(null);
export const slow = signal(0);
/** How many rows to move down so that what is being read stands still; the grid takes it and sets it back. */
export const shift = signal(0);
export const first = signal(0);
/** Changes that wait for the reader, in the order of the last change. */
export const newer = signal(0);
export const lastChange = signal(null);
export const selected = signal(new Set());
export const active = signal(null);
/** Who wrote lately: writer → {actor, at}. */
export const present = signal(new Map());
export const isFiltered = computed(() => Object.values(place.value.filter).some(Boolean));

const lit = new Map();
let generation = 0;
let asking = new Map();
const barren = new Set();
let abort = new AbortController();
let asOf = 0;
let held = false;

export const litSince = key => lit.get(key);

/** Under the pointer the order of the last change holds still; what waits comes when it is asked for, or with the next. */
export function hold(isHeld) {
  held = isHeld;
}

const redraw = () => {
  drawn.value = drawn.peek() + 1;
};

function query() {
  const { filter, order } = place.peek();
  const args = {};
  if (filter.match) args.match = filter.match;
  if (filter.tag) args.tag = filter.tag;
  if (filter.type) args.type = filter.type;
  if (filter.by) args.writer = filter.by;
  if (order !== 'name') args.order = order;
  return args;
}

/** Begins anew: another instance, filter or order. Late answers to older questions are dropped. */
export async function reload({ at = null, offset = 0 } = {}) {
  generation += 1;
  abort.abort();
  abort = new AbortController();
  asking = new Map();
  barren.clear();
  newer.value = 0;
  const isAnchored = at !== null && place.peek().order === 'name';
  const mine = generation;
  const page = await ask(isAnchored ? { at, start: Math.max(0, offset) } : { start: 0 }, mine);
  if (!page || mine !== generation) return null;
  batch(() => {
    rows.clear();
    rows.total = page.total;
    rows.put(page.start, page.keys);
    total.value = page.total;
    failure.value = null;
    redraw();
  });
  return page;
}

async function ask(range, mine) {
  const since = performance.now();
  const patience = setTimeout(() => {
    if (mine === generation) slow.value = since;
  }, 5000);
  try {
    const page = await op(instance.peek(), 'key_browse', { ...query(), limit: PAGE, ...range }, { signal: abort.signal });
    asOf = Math.max(asOf, page.as_of_seq);
    return page;
  } catch (error) {
    if (error.name === 'AbortError' || mine !== generation) return null;
    if (error.code === 'signed_out') connection.value = { state: 'signed_out' };
    else failure.value = error.message;
    return null;
  } finally {
    clearTimeout(patience);
    slow.value = 0;
  }
}

/** Sees to it that the rows from one rank to another become known. */
export async function need(from, to) {
  const gap = rows.gap(from - 20, to + 20);
  if (gap < 0 || barren.has(gap)) return;
  const start = Math.max(0, gap - (gap < from ? PAGE - 20 : 0));
  const known = [...asking.keys()].some(each => gap >= each && gap < each + PAGE);
  if (known) return;
  const mine = generation;
  asking.set(start, true);
  const page = await ask({ start }, mine);
  if (mine !== generation) return;
  asking.delete(start);
  if (!page) return;
  batch(() => {
    // Keys came or went between the pages: the ranks of the others are not known any more.
    if (page.total !== rows.total) rows.clear();
    rows.total = page.total;
    total.value = page.total;
    rows.put(page.start, page.keys);
    // A key whose time is up is counted until it is swept; asking again would show it no sooner.
    if (!rows.row(gap)) barren.add(gap);
    redraw();
  });
}

const contains = (key, text) => {
  const lower = word => word.replace(/[A-Z]/g, letter => letter.toLowerCase());
  return lower(key).includes(lower(text));
};

function matches(row) {
  const { match, tag, type, by } = place.peek().filter;
  return (!match || contains(row.key, match)) && (!tag || row.tags.includes(tag)) && (!type || row.type === type)
    && (!by || row.actor.writer === by);
}

/** Changes, folded: the last of each key, and whether it was there before them. */
export function apply(changes) {
  if (changes.length === 0) return;
  barren.clear();
  const now = Date.now();
  const seen = new Map(present.peek());
  const { order } = place.peek();
  let isDirty = false;
  for (const { change, existed } of changes) {
    seen.set(change.actor.writer, { actor: change.actor, at: now });
    lit.set(change.key, now);
    // A page that was asked for later has it already, and counted it.
    if (change.seq <= asOf) {
      const known = rows.row(rows.rankOf(change.key));
      if (change.row && known && known.version < change.seq) rows.replace(change.row);
      continue;
    }
    if (order === 'recent') newer.value = newer.peek() + 1;
    if (change.row) isDirty = came(change.row, !existed, order) || isDirty;
    else if (existed) isDirty = went(change.key, order) || isDirty;
  }
  const last = changes.at(-1).change;
  asOf = Math.max(asOf, last.seq);
  for (const [key, at] of lit) if (now - at > LIT_MS * 2) lit.delete(key);
  for (const [writer, { at }] of seen) if (now - at > PRESENT_MS) seen.delete(writer);
  batch(() => {
    lastChange.value = last;
    present.value = seen;
    total.value = rows.total;
    redraw();
  });
  facetsChanged();
  if (isDirty) again();
  if (order === 'recent' && !held && selected.peek().size === 0 && first.peek() === 0) again();
  const who = last.actor.kind === 'human' ? 'you' : last.actor.client || last.actor.principal;
  const did = last.row ? 'written' : 'deleted';
  speak(changes.length === 1 ? `${last.key} ${did} by ${who}` : `${changes.length} keys changed by ${who}`);
  setTimeout(redraw, LIT_MS + 50);
}

/** A key is there now. Answers whether the list has to be counted anew. */
function came(row, created, order) {
  const isIn = rows.rankOf(row.key) >= 0;
  const isWanted = matches(row);
  if (isIn && isWanted) {
    rows.replace(row);
    return false;
  }
  if (order === 'recent') {
    if (created && !isFiltered.peek()) rows.total += 1;
    return isFiltered.peek();
  }
  if (isIn) return leave(row.key) || true;
  if (created && isWanted) {
    settle(row);
    return false;
  }
  // Another filter may have brought it in; only the server knows whether it was counted.
  return isWanted;
}

function settle(row) {
  const top = first.peek();
  const anchor = rows.row(top);
  const rank = rows.insert(row);
  if (anchor && rows.rankOf(anchor.key) > top && (rank < 0 || rank <= top) && top > 0) shift.value = shift.peek() + 1;
}

function leave(key) {
  const top = first.peek();
  const anchor = rows.row(top);
  rows.remove(key);
  if (anchor && anchor.key !== key && rows.rankOf(anchor.key) < top) shift.value = shift.peek() - 1;
  return false;
}

function went(key, order) {
  const isIn = rows.rankOf(key) >= 0;
  if (order === 'recent') {
    rows.total = Math.max(0, rows.total - 1);
    return isIn || isFiltered.peek();
  }
  if (isIn || !isFiltered.peek()) return leave(key);
  return contains(key, place.peek().filter.match);
}

let timer = null;
/** Asks for what is shown anew, a few times a second at most, with the first row where it is. */
function again() {
  timer ??= setTimeout(async () => {
    timer = null;
    await refresh();
  }, 300);
}

/** The same at once. */
export async function refresh() {
  const top = first.peek();
  const anchor = rows.row(top);
  const mine = generation;
  const range = anchor && place.peek().order === 'name' ? { at: anchor.key, start: 20 } : { start: Math.max(0, top - 20) };
  const page = await ask({ ...range, limit: 200 }, mine);
  if (!page || mine !== generation) return;
  batch(() => {
    rows.clear();
    rows.total = page.total;
    rows.put(page.start, page.keys);
    total.value = page.total;
    failure.value = null;
    newer.value = 0;
    if (anchor && place.peek().order === 'name') {
      const now = rows.rankOf(anchor.key);
      if (now >= 0) shift.value = shift.peek() + now - top;
    }
    redraw();
  });
}

/** Some changes were not told: what is shown may be of another time, whose count of changes says nothing of now. */
export function anew() {
  asOf = 0;
  return refresh();
}

export function takeNewer() {
  newer.value = 0;
  refresh();
}

/** Keys with words in their values, for who finds none by name: `{question, matches}`. */
export const searched = signal(null);
export async function searchValues(question) {
  searched.value = { question, matches: null };
  try {
    const { matches } = await op(instance.peek(), 'search_keys', { query: question, limit: 50 });
    if (searched.peek()?.question === question) searched.value = { question, matches };
  } catch (error) {
    searched.value = { question, matches: [], failure: error.message };
  }
}

export function select(key, isExtending = false) {
  const next = new Set(selected.peek());
  if (next.has(key) && !isExtending) next.delete(key);
  else next.add(key);
  selected.value = next;
}
