// A connection that is to last: it is opened, looked after, and opened anew when it is lost. Events in, effects out: it knows
// no socket and no timer; time and chance come in. What is said over it is the matter of who extends it.

/** Milliseconds: from the beginning of a connection to all keys; without a word before a ping; from there to its answer. */
export const OPEN_MS = 30_000;
export const SILENCE_MS = 25_000;
export const PONG_MS = 15_000;
/** Pauses before a connection: at most the first, doubled each time, up to the last. */
export const PAUSE_MS = [1_000, 30_000];

const ENDED = 'The server ended this access';

export class Line {
  phase = 'stopped';
  state = 'disconnected';
  permission = null;
  /** When `tick` wants to be called; on the same clock as every `now`. */
  deadline = Infinity;
  #random;
  #pauses;
  #effects = [];
  #attempts = 0;
  #isPinged = false;
  /** Bytes that had not gone out when the server was waited for. */
  #unsent = 0;

  constructor({ random, pauses = PAUSE_MS }) {
    this.#random = random;
    this.#pauses = pauses;
  }

  /** What a connection is to be asked for with: parameters of its address. */
  query = () => ({});

  /** Takes a message. */
  heard() {}

  /** The connection is no more, or given up. */
  ended() {}

  /** Whether the deadline is one of its own, and what is due then. */
  hasOwnDeadline = () => false;

  due() {}

  /** What is to be done, in order; each once. */
  take() {
    return this.#effects.splice(0);
  }

  do(effect) {
    this.#effects.push(effect);
  }

  get isOpen() {
    return this.phase === 'opening' || this.phase === 'live';
  }

  start(now) {
    if (this.phase === 'stopped') this.#open(now);
  }

  stop() {
    if (this.phase === 'stopped') return;
    this.do({ do: 'close' });
    this.#end('stopped', 'disconnected', Infinity);
  }

  /** Connects now instead of after the pause, or looks whether the connection is still there. `unsent` as in `tick`. */
  hurry(now, unsent = 0) {
    if (this.phase === 'waiting') this.#open(now);
    else if (this.phase === 'live' && !this.#isPinged && !this.hasOwnDeadline()) this.#ping(now, unsent);
  }

  /** The deadline has come, or something close to it. `unsent`: bytes that were said and have not gone out. */
  tick(now, unsent = 0) {
    if (now < this.deadline) return;
    if (this.phase === 'waiting') this.#open(now);
    else if (this.#isPinged && unsent < this.#unsent) this.#await(now, unsent);
    else if (this.phase === 'opening' || this.#isPinged) this.#giveUp(now, 'The server does not answer');
    else if (this.hasOwnDeadline()) this.due(now);
    else this.#ping(now, unsent);
  }

  /** There is no token, or no connection with it. `isRefused`: the server said no. */
  failed(now, why, isRefused = false) {
    if (this.phase === 'stopped') return;
    this.do({ do: 'error', error: { code: isRefused ? 'refused' : 'offline', message: why } });
    this.#lost(now, 'error', isRefused);
  }

  closed(now, code, reason) {
    if (!this.isOpen) return;
    const isEnd = code === 4001 || (code === 1000 && this.phase !== 'opening' && reason !== '');
    if (isEnd) this.do({ do: 'error', error: { code: 'ended', message: `${ENDED}: ${reason}` } });
    this.#lost(now, isEnd || this.phase === 'opening' ? 'error' : 'disconnected', isEnd);
  }

  message(told, now) {
    if (!this.isOpen) return;
    this.#isPinged = false;
    if (!this.hasOwnDeadline()) this.deadline = now + (this.phase === 'opening' ? OPEN_MS : SILENCE_MS);
    this.heard(told, now);
  }

  /** The server has let it in. */
  admitted({ permission }) {
    this.permission = permission;
    this.#become('connected');
  }

  /** The server has told what it had to tell first. */
  settled(now) {
    this.#attempts = 0;
    this.phase = 'live';
    this.deadline = now + SILENCE_MS;
  }

  #ping(now, unsent) {
    this.#isPinged = true;
    this.#await(now, unsent);
    this.do({ do: 'send', text: '{"type":"ping"}' });
  }

  /** The ping comes after what is still to go out: as long as that goes, the server need not have answered. */
  #await(now, unsent) {
    this.#unsent = unsent;
    this.deadline = now + PONG_MS;
  }

  #open(now) {
    this.phase = 'opening';
    this.deadline = now + OPEN_MS;
    this.#become('connecting');
    this.do({ do: 'open', query: this.query() });
  }

  #giveUp(now, why) {
    this.do({ do: 'close' });
    this.do({ do: 'error', error: { code: 'offline', message: why } });
    this.#lost(now, 'disconnected', false);
  }

  /** Waits: anything from nothing to twice as long as before, so that clients do not come back all at once. */
  #lost(now, state, isRefused) {
    const [first, most] = this.#pauses;
    const pause = isRefused ? most : Math.min(most, first * 2 ** Math.min(this.#attempts, 16));
    this.#attempts += 1;
    this.#end('waiting', state, now + this.#random() * pause);
  }

  #end(phase, state, deadline) {
    this.phase = phase;
    this.#isPinged = false;
    this.ended();
    this.deadline = deadline;
    this.#become(state);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.do({ do: 'state', state });
  }
}

/** A refusal of the server as it is told to programs. */
export const errorOf = ({ error, code }) => ({ code: code ?? 'failed', message: error ?? 'The server refused' });
