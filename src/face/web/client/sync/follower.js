// Follows the changes of an instance without its keys: how far it has come, and what is told of that.
import { errorOf, Line } from './line.js';

export class Follower extends Line {
  /** The instance's id, and up to where it was followed, in which log. */
  instance = null;
  seq;
  log;
  #isOther = false;

  static #takes = {
    auth_success: (follower, told) => follower.#auth(told),
    changes: (follower, told, now) => follower.#changes(told, now),
    position: (follower, told) => follower.#reached(told),
    result: (follower, told) => follower.do({ do: 'result', ...told }),
    error: (follower, told) => follower.do({ do: told.opId ? 'result' : 'error', opId: told.opId, error: errorOf(told) }),
  };

  constructor({ since = null, log = null, ...more }) {
    super(more);
    this.seq = since;
    this.log = log;
  }

  query = () => {
    const back = { since: this.seq, log: this.log };
    return { changes: 1, ...Object.fromEntries(Object.entries(back).filter(([, part]) => part !== null)) };
  };

  heard(told, now) {
    if (Object.hasOwn(Follower.#takes, told.type)) Follower.#takes[told.type](this, told, now);
  }

  #auth(told) {
    // The name may lead to another instance by now, whose changes go on nothing that was seen.
    this.#isOther = this.instance !== null && this.instance !== told.instanceId;
    this.instance = told.instanceId;
    this.admitted(told);
  }

  #changes({ changes, seq, head, log, reason }, now) {
    if (this.phase === 'opening') this.settled(now);
    const gap = this.#isOther ? 'other_instance' : reason;
    this.#isOther = false;
    // What was told before a connection was lost may be told again.
    const seen = gap ? Infinity : this.seq ?? 0;
    this.seq = gap ? seq : Math.max(this.seq ?? 0, seq);
    if (log) this.log = log;
    if (gap) this.do({ do: 'gap', reason: gap, seq });
    this.do({ do: 'changes', changes: changes.filter(change => change.seq > seen), seq: this.seq, head });
  }

  #reached({ seq, log }) {
    this.seq = Math.max(this.seq ?? 0, seq);
    this.log = log;
  }
}
