// Edits that the server has not acknowledged, in their order.
//
// An edit that was never sent takes in the next one of its key, and moves to the end. One that was sent stays as it was:
// the server may have it, and knows it by its id.

/** Most edits and bytes that are on their way at once. */
const FLIGHT_EDITS = 128;
const FLIGHT_BYTES = 2 * 1024 * 1024;

export class Queue {
  /** By id, oldest first. */
  #edits = new Map();
  #ofKey = new Map();
  /** `[edit, turn]`: what is to be sent on this connection. An edit that moved or went has another turn. */
  #waiting = [];
  #flight = new Map();
  /** By key: what cannot go yet, and what would go after it. */
  #held = new Map();
  #bytes = 0;
  #turn = 0;
  #count = 0;
  /** Who says what is added, once that is known. */
  userId;

  /** `replica` is unique to this start of the client, so ids never come again. */
  constructor(replica) {
    this.replica = replica;
  }

  get size() {
    return this.#edits.size;
  }

  /** Larger than the turn of every edit so far. */
  get turn() {
    return this.#turn;
  }

  /** The turn at which the oldest of what is here was said, wherever it is now; that of none is infinitely late. */
  get oldest() {
    return this.all().reduce((least, { since }) => Math.min(least, since), Infinity);
  }

  find = id => this.#edits.get(id);

  ofKey = key => this.#ofKey.get(key) ?? [];

  /** Those of its key that come before an edit. */
  earlier(edit) {
    const edits = this.ofKey(edit.key);
    return edits.slice(0, edits.indexOf(edit));
  }

  /** Those of its key that come after an edit. */
  later(edit) {
    const edits = this.ofKey(edit.key);
    return edits.slice(edits.indexOf(edit) + 1);
  }

  all = () => [...this.#edits.values()];

  /** Adds an edit, or puts it into the one before it. */
  add(edit) {
    const last = this.ofKey(edit.key).at(-1);
    if (last && mayJoin(last, edit)) {
      joined(last, edit);
      this.#edits.delete(last.id);
      this.#insert(last);
      return last;
    }
    const added = { userId: this.userId, ...edit, id: this.#newId(), sent: false };
    this.#ofKey.set(edit.key, [...this.ofKey(edit.key), added]);
    this.#insert(added);
    return added;
  }

  #newId() {
    this.#count += 1;
    return `${this.replica}-${this.#count}`;
  }

  #insert(edit) {
    this.#turn += 1;
    edit.turn = this.#turn;
    edit.since ??= this.#turn;
    edit.isHeld = false;
    this.#edits.set(edit.id, edit);
    this.#waiting.push([edit, edit.turn]);
  }

  remove(edit) {
    if (!this.#edits.delete(edit.id)) return false;
    const rest = this.ofKey(edit.key).filter(other => other !== edit);
    if (rest.length > 0) this.#ofKey.set(edit.key, rest);
    else this.#ofKey.delete(edit.key);
    this.#landed(edit);
    edit.turn = 0;
    return true;
  }

  #landed(edit) {
    this.#bytes -= this.#flight.get(edit.id) ?? 0;
    this.#flight.delete(edit.id);
  }

  /** The next edit to send, if it may go now. */
  next() {
    while (this.#waiting.length > 0) {
      const [edit, turn] = this.#waiting[0];
      if (edit.turn === turn) return this.#isFull() ? undefined : edit;
      this.#waiting.shift();
    }
    return undefined;
  }

  #isFull() {
    return this.#flight.size >= FLIGHT_EDITS || (this.#flight.size > 0 && this.#bytes >= FLIGHT_BYTES);
  }

  /** What `next` gave is on its way. */
  departed(edit, bytes) {
    this.#waiting.shift();
    edit.isResent = edit.sent;
    edit.sent = true;
    this.#flight.set(edit.id, bytes);
    this.#bytes += bytes;
  }

  /** What `next` gave stays, and what comes after it of its key. */
  hold(edit) {
    this.#waiting.shift();
    edit.isHeld = true;
    this.#held.set(edit.key, [...(this.#held.get(edit.key) ?? []), [edit, edit.turn]]);
  }

  heldKeys = () => [...this.#held.keys()];

  release(key) {
    const held = this.#held.get(key);
    this.#held.delete(key);
    for (const [edit] of held) edit.isHeld = false;
    this.#waiting.unshift(...held);
  }

  /** Whether one before it of its key is held. */
  mustWait(edit) {
    return this.#held.size > 0 && this.earlier(edit).some(({ isHeld }) => isHeld);
  }

  /** The largest edit on its way, for a server that says no more than that something was too large. */
  largest() {
    const [id] = [...this.#flight].sort(([, a], [, b]) => b - a)[0] ?? [];
    return this.#edits.get(id);
  }

  /** The connection is gone: everything is to be sent again, in order. */
  rewind() {
    this.#flight.clear();
    this.#bytes = 0;
    for (const key of this.heldKeys()) this.release(key);
    this.#waiting = this.all().map(edit => [edit, edit.turn]);
  }

  /** An edit that was refused as it was goes in another form, under an id of its own. */
  renew(edit) {
    this.#landed(edit);
    this.#edits.delete(edit.id);
    Object.assign(edit, { id: this.#newId(), sent: false });
    this.#edits.set(edit.id, edit);
    this.#waiting.push([edit, edit.turn]);
  }

  /**
   * The server could not take an edit now. It goes again, unless a later one of its key is on its way: going after that
   * one it would undo it, so only what the later ones leave goes. With a condition it undoes nothing, and stays as it is.
   */
  again(edit) {
    const later = this.later(edit);
    this.#landed(edit);
    if (later.length === 0 || isConditional(edit)) {
      this.#waiting.unshift([edit, edit.turn]);
      return;
    }
    this.remove(edit);
    if (later.some(({ kind }) => kind === 'delete')) return;
    const rest = left(edit, later);
    const isOver = edit.kind !== 'set' || later.some(({ kind }) => kind === 'set');
    const { key, value, ttlMs, since, over } = edit;
    const attributes = Object.fromEntries(rest);
    if (!isOver) this.add({ kind: 'set', key, value, attributes, ttlMs, since, over });
    else if (rest.length > 0) this.add({ kind: 'attributes', key, attributes, since, over });
  }

  /** Who says what was added, and will be; what another user said is not here any more. */
  said(userId) {
    this.userId = userId;
    for (const edit of this.all()) edit.userId ??= userId;
  }

  /** Edits of an earlier start, before all others. They may have been sent. */
  restore(edits) {
    const now = this.all();
    this.#edits.clear();
    this.#ofKey.clear();
    for (const edit of [...edits.map(each => ({ ...each, sent: true, since: 0 })), ...now]) {
      this.#ofKey.set(edit.key, [...this.ofKey(edit.key), edit]);
      this.#insert(edit);
    }
    this.rewind();
  }

  /** What `restore` takes. */
  saved() {
    return this.all().map(({ turn, since, met, isPast, isHeld, ...edit }) => edit);
  }
}

/** The attributes of an edit of which the later ones say nothing. */
export function left(edit, later) {
  const named = later.flatMap(({ attributes }) => Object.keys(attributes ?? {}));
  return Object.entries(edit.attributes ?? {}).filter(([name]) => !named.includes(name));
}

export const isConditional = edit => edit.ifVersion !== undefined || edit.isSeed;

function mayJoin(last, edit) {
  if (last.sent || isConditional(last) || isConditional(edit)) return false;
  // Attributes of what is deleted are an error, which the server is to say.
  return last.kind !== 'delete' || edit.kind === 'delete';
}

function joined(last, edit) {
  const attributes = { ...last.attributes, ...edit.attributes };
  if (edit.kind === 'delete') {
    Object.assign(last, { kind: 'delete', value: undefined, attributes: undefined, defaults: undefined, ttlMs: undefined });
  } else if (edit.kind === 'set') {
    Object.assign(last, { kind: 'set', value: edit.value, attributes, defaults: last.defaults ?? edit.defaults, ttlMs: edit.ttlMs });
  } else {
    last.attributes = attributes;
  }
  last.since = Math.min(last.since, edit.since ?? last.since);
  last.isSettled = false;
}
