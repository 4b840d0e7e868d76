// What the server has said: its keys, and up to which change.

export class Base {
  records = new Map();
  /** The instance's id, who may see this of it, its log, and the last change that is in `records`. */
  instance = null;
  userId;
  log = null;
  seq = null;
  /** Keys whose acknowledgement came before the change itself: to which version they are known. */
  #ahead = new Map();
  /** The keys of a full answer that is still coming. */
  #staged = null;

  versionOf(key) {
    return this.records.get(key)?.version ?? 0;
  }

  #known = key => Math.max(this.versionOf(key), this.#ahead.get(key) ?? 0);

  /** A change as it happened; answers with the key and what it was, or with nothing when a later one is known. */
  apply({ key, version, seq, ...told }, isDeleted) {
    if (this.#staged) put(this.#staged, key, { version, ...told }, isDeleted);
    const isNew = version >= this.#known(key);
    const before = this.records.get(key);
    if (isNew) put(this.records, key, { version, ...told }, isDeleted);
    else if (!before?.parts?.includes(version)) doubt(before);
    this.reached(seq);
    return isNew ? [[key, before]] : [];
  }

  /** All keys but these are gone. */
  cleared({ kept, seq }) {
    const gone = [...this.records].filter(([key, { version }]) => !kept.includes(key) && version <= seq);
    for (const [key] of gone) this.records.delete(key);
    for (const key of this.#staged?.keys() ?? []) if (!kept.includes(key)) this.#staged.delete(key);
    this.reached(seq);
    return gone;
  }

  /** Everything up to here was seen. */
  reached(seq, log = this.log) {
    if (typeof seq !== 'number' || this.#staged || this.seq === null) return;
    this.seq = Math.max(this.seq, seq);
    this.log = log;
    for (const [key, version] of this.#ahead) if (version <= this.seq) this.#ahead.delete(key);
  }

  /**
   * An edit of ours was done at this version. `after` is what it made of the key; `isPart` when it did not write the value,
   * which may have changed between what was seen and this version: the stream tells, unless that `isUnsure` anyway.
   */
  acknowledged(key, version, after, { isPart, isUnsure }) {
    // What came with the stream is at least as new.
    if (this.seq !== null && version <= this.seq) return false;
    if (version < this.#known(key)) return false;
    const { isMissing = true, error, parts = [] } = this.records.get(key) ?? {};
    put(this.records, key, { ...after, version }, !after);
    if (after && isPart) Object.assign(this.records.get(key), { isMissing: isMissing || isUnsure, error, parts: [...parts, version] });
    this.#ahead.set(key, version);
    return true;
  }

  /** A piece of the server's answer to a connection; with the last one, the keys that it concerns, and what they were. */
  sync({ data = {}, deleted = [], full = true, more = false, seq, log }) {
    if (!full) {
      const changed = [];
      for (const [key, told] of Object.entries(data)) {
        // What happened between is not told.
        doubt(this.records.get(key));
        changed.push(...this.apply({ key, ...told }, false));
      }
      for (const key of deleted) {
        changed.push([key, this.records.get(key)]);
        this.records.delete(key);
      }
      if (!more) this.#arrived(log, seq);
      return changed;
    }
    this.#staged ??= new Map();
    for (const [key, told] of Object.entries(data)) put(this.#staged, key, told, false);
    if (more) return [];
    const before = this.records;
    this.records = this.#staged;
    this.#staged = null;
    this.#ahead.clear();
    for (const [key, record] of this.records) {
      doubt(before.get(key));
      keepValue(record, before.get(key));
    }
    this.seq = null;
    this.#arrived(log, seq);
    return [...new Set([...before.keys(), ...this.records.keys()])].map(key => [key, before.get(key)]);
  }

  #arrived(log, seq) {
    this.log = log ?? this.log;
    this.seq = Math.max(this.seq ?? 0, seq ?? 0);
  }

  /** What a lost connection had begun is of no use. */
  dropStaged() {
    this.#staged = null;
  }

  /** The keys whose values are not here yet, to be asked for anew. */
  missing() {
    const missing = [...this.records].filter(([, record]) => record.isMissing);
    for (const [, record] of missing) record.error = undefined;
    return missing.map(([key, { version }]) => ({ key, version }));
  }

  /** A value that was asked for; false when the key has changed since. */
  fetched(key, version, value) {
    const record = this.records.get(key);
    if (!record?.isMissing || record.version !== version) return false;
    this.records.set(key, { ...record, value, isMissing: false, error: undefined, parts: undefined });
    return true;
  }

  /** A value that was asked for and cannot be read. */
  unread(key, version, error) {
    const record = this.records.get(key);
    if (record?.isMissing && record.version === version) this.records.set(key, { ...record, error });
  }

  /** Whether the value of a key is not here, or not known to be that of its version. */
  isUnsure(key) {
    const { isMissing, parts } = this.records.get(key) ?? {};
    return Boolean(isMissing || parts);
  }

  /** Whether it is to come. */
  isDue = key => this.isUnsure(key) && !this.records.get(key).error;

  /** A value that we wrote, at its version: it need not be asked for, and until a later one is here it is the latest. */
  written(key, version, value) {
    const record = this.records.get(key);
    if (!record?.isMissing || !(version <= record.version)) return;
    this.records.set(key, { ...record, value, isMissing: version !== record.version, error: undefined });
  }

  restore({ instance, userId, log, seq, records }) {
    Object.assign(this, { instance, userId, log, seq, records: new Map(records) });
  }

  /** What `restore` takes. */
  saved() {
    const { instance, userId, log, seq, records } = this;
    return { instance, userId, log, seq, records: [...records] };
  }
}

function put(records, key, told, isDeleted) {
  if (isDeleted) {
    records.delete(key);
    return;
  }
  const record = { value: told.value, attributes: told.attributes, version: told.version, isMissing: 'valueRef' in told };
  keepValue(record, records.get(key));
  records.set(key, record);
}

/** Of a key that we changed a part of, the value may not be what it was. */
function doubt(record) {
  if (record?.parts) record.isMissing = true;
}

/** A large value comes later: until then the one before it stands, which is the same one if the version is. */
function keepValue(record, before) {
  if (!record.isMissing || !before) return;
  record.value = before.value;
  record.isMissing = before.isMissing || before.version !== record.version;
}
