// The state of a connection, and of what is known and not yet acknowledged: events in, effects out. It knows no socket,
// no timer, no storage; time and chance come in.
//
// What is read is what the server has said, with the edits that it has not acknowledged on top. Edits go to the server
// after it has told what changed, in their order, many at a time, each with an id under which it counts once.
import { Base } from './base.js';
import { Conflicts } from './conflicts.js';
import { errorOf, Line, SILENCE_MS } from './line.js';
import { isConditional, left, Queue } from './queue.js';
import { after, attributesOf, message, writesValue } from './wire.js';

/** Until an edit that the server could not take goes again. */
export const AGAIN_MS = 1_000;

/** Codes of what may work when it is tried again. */
export const LATER = ['overloaded', 'unavailable', 'in_progress', 'quota_exceeded'];

export class Engine extends Line {
  base = new Base();
  isLoaded = false;
  limits = {};
  #again = [];

  /** What comes from the server, and who takes it. */
  static #takes = {
    auth_success: (engine, told, now) => engine.#auth(told, now),
    sync: (engine, told, now) => engine.#sync(told, now),
    key_updated: (engine, told) => engine.#updated(told),
    key_deleted: (engine, told) => engine.#deleted(told),
    cleared: (engine, told) => engine.#changed(engine.base.cleared(told)),
    ack: (engine, told) => engine.#ack(told),
    result: (engine, told) => engine.#result(told),
    error: (engine, told, now) => engine.#error(told, now),
    position: (engine, told) => engine.base.reached(told.seq, told.log),
    presence: (engine, told) => engine.do({ do: 'presence', told: told.connections }),
  };

  constructor({ replica, random }) {
    super({ random });
    this.queue = new Queue(replica);
    this.conflicts = new Conflicts(this);
  }

  /** It comes back to where it was. */
  query = () => {
    const { seq, log } = this.base;
    return seq === null || log === null ? {} : { since: seq, log };
  };

  ended() {
    this.#again = [];
    this.base.dropStaged();
    this.#dropOver();
    this.queue.rewind();
  }

  /** What was not answered goes again, but not after a later one of its key, which it might undo. */
  #dropOver() {
    for (const edit of this.queue.all()) if (edit.isOver) this.#overtaken(edit);
  }

  /** Edits go again. */
  hasOwnDeadline = () => this.#again.length > 0;

  due(now) {
    this.#sendAgain(now);
  }

  /** The key as it is read. */
  view(key) {
    const edits = this.queue.ofKey(key).filter(({ isPast }) => !isPast);
    return edits.reduce(after, this.base.records.get(key));
  }

  keys = () => new Set([...this.base.records.keys(), ...this.queue.all().map(({ key }) => key)]);

  /** The version that the server has of it; 0 for none. */
  versionOf = key => this.base.versionOf(key);

  /** An edit of the program. */
  edit(edit, now) {
    const added = this.queue.add({ ...edit, over: this.versionOf(edit.key) });
    const before = this.#again.filter(other => other.key === edit.key);
    this.#again = this.#again.filter(other => !before.includes(other));
    for (const other of before.reverse()) this.queue.again(other);
    this.do({ do: 'save' });
    this.#send(now);
    return added;
  }

  /** Keys that were there before there was a server: they go only where it has none. */
  seed(entries) {
    for (const [key, { value, attributes }] of entries) {
      this.queue.add({ kind: 'set', key, value, attributes, ifVersion: 0, isSeed: true, over: 0 });
    }
  }

  restore({ base, edits, instance = null }) {
    if (base) this.base.restore(base);
    this.base.instance ??= instance;
    if (edits) this.queue.restore(edits);
    this.#dropOver();
    this.do({ do: 'changed', keys: this.keys() });
  }

  saved = () => ({ instance: this.base.instance, edits: this.queue.saved() });

  closed(now, code, reason) {
    if (code === 1009 && this.isOpen) this.#tooLarge(this.queue.largest());
    if (code === 4003 && this.isOpen) this.#tooSlow(this.queue.largest());
    super.closed(now, code, reason);
  }

  heard(told, now) {
    if (Object.hasOwn(Engine.#takes, told.type)) Engine.#takes[told.type](this, told, now);
    this.#send(now);
  }

  #auth({ instanceId, userId, limits = {}, ...told }, now) {
    const { base, queue } = this;
    const isOther = known => Boolean(known && userId && known !== userId);
    this.limits = limits;
    if (base.instance && instanceId && base.instance !== instanceId) {
      this.#forget(queue.all().filter(edit => !edit.isSeed), 'other_instance', 'on an instance that is gone');
    }
    const others = queue.all().filter(edit => isOther(edit.userId));
    const isAnew = isOther(base.userId) && base.seq !== null;
    if (isOther(base.userId) || others.length > 0) this.#forget(others, 'other_user', 'by another user');
    this.base.instance = instanceId ?? base.instance;
    this.base.userId = userId;
    queue.said(userId);
    this.do({ do: 'save' });
    // What follows goes on what the other user saw.
    if (isAnew) this.#reopen(now);
    else this.admitted(told);
  }

  #reopen(now) {
    this.stop();
    this.start(now);
  }

  #sync(told, now) {
    for (const record of Object.values(told.data ?? {})) record.attributes = attributesOf(record.attributes);
    const changed = this.base.sync(told);
    this.#changed(changed);
    if (told.more) return;
    this.conflicts.settleSeeds();
    this.settled(now);
    for (const missing of this.base.missing()) this.do({ do: 'fetch', ...missing });
    if (!this.isLoaded) this.do({ do: 'loaded' });
    this.isLoaded = true;
    this.do({ do: 'save' });
  }

  #updated(told) {
    const { key, valueRef, opId } = told;
    const own = this.queue.find(opId);
    const record = { ...told, attributes: attributesOf(told.attributes) };
    // What we wrote ourselves, or left as it was, need not be fetched.
    const before = this.base.records.get(key);
    if (valueRef && (own?.kind === 'set' || (own && before && !before.isMissing))) {
      delete record.valueRef;
      record.value = own.kind === 'set' ? own.value : before.value;
    }
    const changed = this.base.apply(record, false);
    if (own) this.#acknowledge(own, told.version);
    this.#changed(changed, opId !== undefined);
    const after = this.base.records.get(key);
    if (changed.length > 0 && after?.isMissing) this.do({ do: 'fetch', key, version: after.version });
  }

  #deleted(told) {
    const changed = this.base.apply(told, true);
    const own = this.queue.find(told.opId);
    if (own) this.#acknowledge(own, told.version);
    this.#changed(changed, told.opId !== undefined);
  }

  #ack(told) {
    const edit = this.queue.find(told.opId);
    // A key that was not there has no version, but it is known until when it was not.
    const wasGone = edit?.kind === 'delete' && told.changed === false && !told.version;
    if (edit) this.#acknowledge(edit, (wasGone ? told.seq : told.version) || undefined);
  }

  #result(told) {
    const edit = this.queue.find(told.opId);
    if (edit) this.#acknowledge(edit, told.result?.version);
    else this.do({ do: 'result', ...told });
  }

  #error(told, now) {
    const edit = this.queue.find(told.opId);
    if (!edit) {
      this.do({ do: told.opId ? 'result' : 'error', opId: told.opId, error: errorOf(told) });
    } else if (told.code === 'idempotency_mismatch') {
      // It was done under this id before the last start, which kept an older form of it.
      this.drop(edit);
    } else if (told.code === 'version_mismatch') {
      this.drop(edit);
      this.conflicts.refused(edit, told.current?.version);
    } else if (LATER.includes(told.code)) {
      this.#putOff(edit, now);
    } else if (told.code === 'NO_PERMISSION' && edit.defaults && !edit.isPlain) {
      // Agents may not make a key part of the prompt: it is made as the server makes keys.
      Object.assign(edit, { attributes: edit.named, defaults: undefined, isPlain: true });
      if (edit.isOver) this.#overtaken(edit);
      else if (this.queue.ofKey(edit.key).at(-1) === edit) this.queue.renew(edit);
      else this.queue.again(edit);
      this.do({ do: 'changed', keys: [edit.key] });
    } else {
      this.#refuse(edit, errorOf(told));
    }
  }

  /** A large value came, from `fetch`. */
  fetched(key, version, value, now) {
    if (this.base.fetched(key, version, value)) this.#changed([[key]], true);
    this.#send(now);
  }

  /** It cannot be read: edits that need it are not for ever. */
  unread(key, version, error, now) {
    this.base.unread(key, version, error);
    this.#send(now);
  }

  #acknowledge(edit, version) {
    if (edit.kind === 'set') this.base.written(edit.key, version, edit.value);
    // Those before it were done too, though their answers are still to come. Of what was sent before the connection was
    // lost nobody knows: it may have been done long ago.
    const before = this.#earlier(edit);
    const isUnsure = before.some(({ isResent }) => isResent);
    const done = isUnsure ? [edit] : [...before, edit];
    const isPart = done.every(({ kind }) => kind === 'attributes');
    const now = done.reduce(after, this.base.records.get(edit.key));
    if (version !== undefined) this.base.acknowledged(edit.key, version, now, { isPart, isUnsure });
    this.conflicts.acknowledged(edit, version);
    for (const earlier of this.queue.earlier(edit)) {
      if (edit.kind !== 'attributes') earlier.isOver = true;
      // Of a key that was deleted since, nothing is left to be said.
      const names = edit.kind === 'delete' ? earlier.attributes : edit.attributes;
      earlier.taken = [...(earlier.taken ?? []), ...Object.keys(names ?? {})];
      earlier.isPast ||= earlier.isOver || !earlier.isResent;
    }
    for (const later of this.queue.ofKey(edit.key)) if (later.turn > edit.turn) later.follows = version;
    // Sent again after a loss, the one before was done after this one, which was done at first: it is to stand.
    if (version < edit.follows && !edit.isOver && this.queue.ofKey(edit.key).at(-1) === edit) this.#redo(edit);
    this.do({ do: 'moved' });
    this.drop(edit);
  }

  #redo({ kind, key, value, attributes, ttlMs, since }) {
    this.queue.add({ kind, key, value, attributes, ttlMs, since, over: this.versionOf(key) });
  }

  /** Takes an edit out: it is done, or will not be. */
  drop(edit) {
    this.queue.remove(edit);
    this.do({ do: 'save' });
    this.do({ do: 'changed', keys: [edit.key] });
  }

  #refuse(edit, error) {
    this.drop(edit);
    this.do({ do: 'error', error: { ...error, key: edit.key } });
  }

  #tooLarge(edit) {
    const what = edit && `The value of "${edit.key}" is larger than the server takes`;
    if (edit) this.#refuse(edit, { code: 'too_large', message: what });
  }

  /** It stays in the queue: the connection may become faster. */
  #tooSlow({ key } = {}) {
    const message = `The value of "${key}" does not get to the server in its time over this connection`;
    if (key !== undefined) this.do({ do: 'error', error: { code: 'too_slow', message, key } });
  }

  /** Keys that the server told of, with what they were. */
  #changed(changed, isOwn = false) {
    if (changed.length === 0) return;
    if (!isOwn) for (const [key, before] of changed) this.conflicts.met(key, before);
    this.do({ do: 'changed', keys: changed.map(([key]) => key) });
    this.do({ do: 'moved' });
  }

  #send(now) {
    if (this.phase !== 'live') return;
    for (const key of this.queue.heldKeys()) if (!this.base.isDue(key)) this.queue.release(key);
    for (let edit = this.queue.next(); edit; edit = this.queue.next()) {
      if (this.queue.mustWait(edit) || (this.base.isDue(edit.key) && this.#needsFetched(edit))) {
        this.queue.hold(edit);
        continue;
      }
      if (!edit.isSettled && !this.#settle(edit)) continue;
      const text = JSON.stringify(message(edit));
      if (text.length > (this.limits.message_bytes ?? Infinity)) {
        this.#tooLarge(edit);
      } else {
        this.queue.departed(edit, text.length);
        this.do({ do: 'send', text });
      }
    }
  }

  /** The edits of its key that are done before it, of those that are not acknowledged. */
  #earlier = edit => this.queue.earlier(edit).filter(({ isPast }) => !isPast);

  /** Whether an edit is to write a value that is not here: what stands in its place must not be written. */
  #needsFetched(edit) {
    return writesValue(edit) && this.base.isUnsure(edit.key) && this.#earlier(edit).every(({ kind }) => kind === 'attributes');
  }

  /** Before an edit goes for the first time: defaults are for a key that is not there. False when it cannot go. */
  #settle(edit) {
    const before = this.#earlier(edit).reduce(after, this.base.records.get(edit.key));
    if (writesValue(edit)) {
      const gone = { code: 'not_found', message: `There is no key "${edit.key}" any more` };
      if (!before || this.#needsFetched(edit)) {
        this.#refuse(edit, before ? this.base.records.get(edit.key).error : gone);
        return false;
      }
      Object.assign(edit, { kind: 'set', value: before.value });
    }
    edit.isSettled = true;
    // What goes is to be the same after the next start.
    if (edit.defaults || edit.kind === 'set') this.do({ do: 'save' });
    if (!edit.defaults) return true;
    if (before) edit.defaults = undefined;
    else [edit.named, edit.attributes] = [edit.attributes, { ...edit.defaults, ...edit.attributes }];
    return true;
  }

  /** It goes again later, unless one of its key went or goes after it: that one would be undone. */
  #putOff(edit, now) {
    edit.isPast = false;
    if (edit.isOver) return this.#overtaken(edit);
    if (this.queue.ofKey(edit.key).at(-1) !== edit && !isConditional(edit)) return this.queue.again(edit);
    if (this.#again.length === 0) this.deadline = now + AGAIN_MS;
    this.#again.push(edit);
  }

  /** It was not done, and a later one of its key was: what that one left is left to do. */
  #overtaken(edit) {
    const later = this.queue.later(edit);
    const rest = left(edit, later).filter(([name]) => !edit.taken.includes(name));
    this.drop(edit);
    // Of two of ours the later one stands; that the other was on a condition is no matter of it.
    if (isConditional(edit) || later.some(({ kind }) => kind === 'delete')) return;
    const { key, since, over } = edit;
    if (rest.length > 0) this.queue.add({ kind: 'attributes', key, attributes: Object.fromEntries(rest), since, over });
  }

  #sendAgain(now) {
    for (const edit of this.#again.splice(0).reverse()) {
      if (edit.isOver) this.#overtaken(edit);
      else if (this.queue.find(edit.id)) this.queue.again(edit);
    }
    this.deadline = now + SILENCE_MS;
    this.#send(now);
  }

  /** The name leads to another instance now, or another user comes: what was said before must not go there, or as theirs. */
  #forget(edits, code, how) {
    const keys = this.keys();
    for (const edit of edits) this.#refuse(edit, { code, message: `"${edit.key}" was changed ${how}` });
    this.base = new Base();
    this.do({ do: 'changed', keys });
    this.do({ do: 'moved' });
  }
}
