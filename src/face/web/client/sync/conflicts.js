// Edits that met others: which of the two stands, and what both were. Nothing is overwritten without a word.
import { isSame } from '../core/keys.js';

export class Conflicts {
  /** Refused edits whose other side is not here yet. */
  #late = [];

  constructor(engine) {
    this.engine = engine;
  }

  get #base() {
    return this.engine.base;
  }

  /** What was there before there was a server gives way to what the server has. */
  settleSeeds() {
    const seeds = this.engine.queue.all().filter(edit => edit.isSeed && !edit.sent && this.#base.records.has(edit.key));
    for (const seed of seeds) {
      this.engine.drop(seed);
      if (!isSame(seed.value, this.#value(seed.key))) this.#report(seed, 'theirs', this.#value(seed.key));
    }
  }

  /** Somebody else changed a key. If edits of ours are still to come, they will overwrite it. */
  met(key, before) {
    for (const late of this.#late.splice(0)) this.refused(late.edit, late.version);
    const record = this.#base.records.get(key);
    const edits = this.engine.queue.ofKey(key);
    // Of what was on its way when a connection broke the answer may be lost: then this is ours.
    const isOurs = record?.isMissing ? edits.some(edit => edit.sent) : edits.some(edit => isSame(edit.value, record?.value));
    if (isOurs || (before && record && isSame(before.value, record.value))) return;
    const version = record?.version ?? this.#base.seq;
    const first = edits.find(edit => edit.ifVersion === undefined && edit.kind !== 'attributes');
    if (first && version > first.over) first.met = { value: record?.value, version };
  }

  /** An edit of ours was done. */
  acknowledged(edit, version) {
    if (edit.met && version > edit.met.version) this.#report(edit, 'mine', edit.met.value);
    for (const other of this.engine.queue.ofKey(edit.key)) other.over = Math.max(other.over, version ?? 0);
  }

  /** An edit that named a version was refused, because the key is at another one. */
  refused(edit, version) {
    if (version !== undefined && this.#base.seq < version) this.#late.push({ edit, version });
    else this.#report(edit, 'theirs', this.#value(edit.key));
  }

  #value = key => this.#base.records.get(key)?.value;

  #report({ key, value: mine }, kept, theirs) {
    this.engine.do({ do: 'conflict', conflict: { key, mine, theirs, kept, version: this.#base.versionOf(key) } });
  }
}
