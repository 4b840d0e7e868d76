// A server as the protocol describes it, small enough to be right: one instance, one log, commits that a crash loses.
import { isDeepStrictEqual } from 'node:util';

/** Values longer than this go by name. */
const INLINE = 120;
const MOST_IN_PIECE = 3;

const DEFAULTS = { type: 'text', contentType: null, contentTags: [], systemTags: ['LLMRead', 'LLMWrite'], zIndex: 0 };
const canonical = attributes => {
  const tags = attributes.contentTags ?? attributes.tags;
  const out = { ...attributes, ...(tags ? { contentTags: tags } : {}) };
  delete out.tags;
  return out;
};

export class ModelServer {
  isUp = true;
  instance = 'the-instance';
  log = 'the-log';
  permission = 'write';
  /** Who connects. */
  user = 'u';
  keys = new Map();
  /** `{seq, key, value?, attributes?, isDeleted, opId}`. */
  changes = [];
  seq = 0;
  start = 0;
  #done = new Map();
  #sessions = new Set();
  #batch = [];
  /** Whether answers come in the order of what they answer. */
  isOrdered = true;
  /** Whether who connects may not say system tags. */
  isAgent = false;
  /** How often an edit is put off. */
  overload = 0;

  constructor(world) {
    this.world = world;
  }

  accept(url, line) {
    if (!this.isUp) {
      line.end(1006, '', true);
      return undefined;
    }
    const session = new Session(this, line);
    this.#sessions.add(session);
    session.greet(url.searchParams);
    return session;
  }

  leave(session) {
    this.#sessions.delete(session);
  }

  /** What is not committed is lost, and every connection with it. */
  crash() {
    this.isUp = false;
    this.#batch = [];
    for (const { line } of [...this.#sessions]) line.end(1006, '', this.world.random() < 0.7);
  }

  /** Those who follow from before this begin anew. */
  trim() {
    this.start = this.seq;
  }

  /** Takes a message in; it counts from the next commit on, in order. */
  enqueue(session, message) {
    if (this.#batch.length === 0) this.world.after(1 + this.world.below(20), () => this.#commit());
    this.#batch.push({ session, message });
  }

  #commit() {
    if (!this.isUp) return;
    for (const { session, message } of this.#batch.splice(0)) this.#do(session, message);
  }

  #do(session, message) {
    const { opId, idempotencyKey } = message;
    const { opId: _, ...asked } = message;
    const before = idempotencyKey && this.#done.get(idempotencyKey);
    if (before && !isDeepStrictEqual(before.asked, asked)) {
      session.tell({ type: 'error', code: 'idempotency_mismatch', error: 'used before', opId });
      return;
    }
    if (before) {
      session.tell(before.answer.type === 'ack' ? { ...before.answer, changed: false } : before.answer);
      return;
    }
    if (this.world.random() < this.overload) {
      session.tell({ type: 'error', code: 'overloaded', error: 'not now', opId });
      return;
    }
    const answer = this.#apply(session, message);
    if (idempotencyKey && answer.type !== 'error') this.#done.set(idempotencyKey, { asked, answer });
    session.tell(answer);
  }

  #apply(session, { type, op, args, opId, ...edit }) {
    const key = args?.key ?? edit.key;
    const held = this.keys.get(key);
    const refuse = (code, more) => ({ type: 'error', code, error: code, key, opId, ...more });
    if (this.permission === 'read') return refuse('NO_PERMISSION');
    if (type === 'call' && op === 'read_key') return held ? { type: 'result', opId, result: piece(key, held, args) } : refuse('not_found');
    if (this.isAgent && edit.attributes?.systemTags) return refuse('NO_PERMISSION');
    if (edit.ifVersion !== undefined && edit.ifVersion !== (held?.version ?? 0)) return refuse('version_mismatch', { current: { version: held?.version ?? 0 } });
    if (type === 'delete') {
      if (held) this.#change(session, { key, isDeleted: true, opId });
      return { type: 'ack', opId, key, version: held ? this.seq : 0, seq: this.seq, changed: Boolean(held) };
    }
    if (type === 'call' && !held) return refuse('not_found');
    const said = type === 'call' ? { systemTags: args.system_tags, tags: args.tags, zIndex: args.z_index } : edit.attributes ?? {};
    const named = Object.fromEntries(Object.entries(canonical(said)).filter(([, value]) => value !== undefined));
    const attributes = { ...(held?.attributes ?? DEFAULTS), ...named };
    const value = type === 'call' ? held.value : edit.value;
    const isSame = held && isDeepStrictEqual([held.value, held.attributes], [value, attributes]);
    if (!isSame || type === 'call') this.#change(session, { key, value, attributes, opId, isCall: type === 'call' });
    const { version } = this.keys.get(key);
    if (type === 'call') return { type: 'result', opId, result: { key, version } };
    return { type: 'ack', opId, key, version, seq: this.seq, changed: !isSame };
  }

  /** A change, and the messages of it to all; with its `opId`, but that of a call. Whether an acknowledgement comes first is chance. */
  #change(session, { key, value, attributes, isDeleted = false, opId, isCall = false }) {
    this.seq += 1;
    if (isDeleted) this.keys.delete(key);
    else this.keys.set(key, { value, attributes, version: this.seq });
    this.changes.push({ seq: this.seq, key, value, attributes, isDeleted, opId });
    const told = isDeleted
      ? { type: 'key_deleted', key, version: this.seq, seq: this.seq, timestamp: 0 }
      : { type: 'key_updated', key, ...shown({ value, attributes, version: this.seq }), seq: this.seq, timestamp: 0 };
    for (const each of this.#sessions) each.change(each === session && !isCall ? { ...told, opId } : told);
  }

  /** A change that nobody of the clients made. */
  person(key, value, attributes = DEFAULTS) {
    this.#change(null, { key, value, attributes, isDeleted: value === undefined });
  }
}

const shown = ({ value, attributes, version }) => {
  const isLarge = typeof value === 'string' && value.length > INLINE;
  const body = isLarge ? { valueRef: { bytes: value.length, version } } : { value };
  return { ...body, attributes, version, updatedAt: 0 };
};

function piece(key, { value, version, attributes }, { offset }) {
  const end = Math.min(value.length, offset + INLINE);
  return { key, value: value.slice(offset, end), version, type: attributes.type, truncated: end < value.length, next_offset: end };
}

class Session {
  /** Until the first answer is complete, changes wait. */
  #held = [];

  constructor(server, line) {
    this.server = server;
    this.line = line;
    this.answered = 0;
    this.lag = server.world.pick([0, 10]);
  }

  greet(asked) {
    const { server } = this;
    const since = asked.has('since') ? Number(asked.get('since')) : null;
    this.line.toClient({ type: 'auth_success', instanceId: server.instance, userId: server.user, permission: server.permission, protocol: 2, log: server.log, limits: { message_bytes: 1e6 } });
    const mayResume = since !== null && asked.get('log') === server.log && since >= server.start && since <= server.seq;
    const names = mayResume ? [...new Set(server.changes.filter(({ seq }) => seq > since).map(({ key }) => key))] : [...server.keys.keys()];
    const there = names.filter(name => server.keys.has(name));
    const deleted = names.filter(name => !server.keys.has(name));
    const pieces = [];
    do pieces.push(there.splice(0, MOST_IN_PIECE)); while (there.length > 0);
    this.#sync(pieces, mayResume ? { full: false, deleted } : { full: true });
  }

  /** Each piece is of another moment; what changed between them comes again. */
  #sync([names, ...rest], more) {
    const { server } = this;
    const entries = names.filter(name => server.keys.has(name)).map(name => [name, shown(server.keys.get(name))]);
    const first = this.first ??= server.seq;
    const last = rest.length === 0;
    this.line.toClient({ type: 'sync', data: Object.fromEntries(entries), instanceId: server.instance, log: server.log, seq: first, more: !last, ...more });
    if (last) {
      const held = this.#held;
      this.#held = null;
      for (const message of held) this.tell(message);
    } else {
      server.world.after(server.world.below(10), () => this.line.isOpen && this.#sync(rest, { ...more, deleted: undefined }));
    }
  }

  hear(message) {
    if (message.type === 'ping') this.tell({ type: 'pong', seq: this.server.seq });
    else this.server.enqueue(this, message);
  }

  change(message) {
    if (this.#held) this.#held.push(message);
    else this.tell(message);
  }

  /** Changes come in their order; what only acknowledges comes before, between or after them. */
  tell(message) {
    const { world } = this.server;
    const isChange = message.type.startsWith('key_');
    let late = isChange ? this.lag : world.pick([0, 0, 5, 50]);
    if (!isChange && this.server.isOrdered) {
      this.answered = Math.max(this.answered, world.time + late);
      late = this.answered - world.time;
    }
    world.after(late, () => this.line.isOpen && this.line.toClient(message));
  }

  gone() {
    this.server.leave(this);
  }
}
