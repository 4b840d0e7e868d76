// Runs a line with a socket and a timer, and passes on what it says; makes calls over it.
import { Refusal } from './address.js';

const CLOCK = {
  now: () => performance.now(),
  setTimeout: (act, ms) => setTimeout(act, ms),
  clearTimeout: timer => clearTimeout(timer),
};

/** An id that no other start of any client has. */
export const newReplica = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, '0')).join('');

export class Runner {
  #line;
  #replica;
  #does;
  #done;
  #WebSocket;
  #socket = null;
  #timer;
  #calls = new Map();
  #callCount = 0;
  #abort = null;

  /** What the line asks for and is done here. */
  static #own = {
    open: (runner, effect) => runner.#open(effect),
    close: runner => runner.#close(),
    send: (runner, { text }) => runner.send(text),
    result: (runner, effect) => runner.#result(effect),
  };

  /** `does` takes each other effect, with what `run` was given beside; `done` hears when all of them are done. */
  constructor({ line, address, config, replica, does, done = () => {} }) {
    this.#line = line;
    this.address = address;
    this.clock = config.clock ?? CLOCK;
    this.#WebSocket = config.WebSocket ?? globalThis.WebSocket;
    if (!this.#WebSocket) throw new TypeError('MindCache: there is no WebSocket here; Node has one from version 22 on');
    this.#replica = replica;
    this.#does = does;
    this.#done = done;
  }

  /** Does something with the line, and then what that calls for: all of it, even when a part fails. */
  run(act, own) {
    const failures = [];
    const attempt = part => {
      try {
        part();
      } catch (error) {
        failures.push(error);
      }
    };
    attempt(act);
    for (let effects = this.#line.take(); effects.length > 0; effects = this.#line.take()) {
      for (const effect of effects) attempt(() => this.#effect(effect, own));
    }
    this.clock.clearTimeout(this.#timer);
    const { deadline } = this.#line;
    if (deadline !== Infinity) this.#timer = this.clock.setTimeout(() => this.#tick(), Math.max(0, deadline - this.clock.now()));
    this.#done();
    if (failures.length > 0) throw failures[0];
  }

  #effect(effect, own) {
    if (Object.hasOwn(Runner.#own, effect.do)) Runner.#own[effect.do](this, effect);
    else this.#does(effect, own);
  }

  start() {
    globalThis.addEventListener?.('online', this.hurry);
    this.run(() => this.#line.start(this.clock.now()));
  }

  stop() {
    globalThis.removeEventListener?.('online', this.hurry);
    this.run(() => this.#line.stop());
  }

  hurry = () => this.run(() => this.#line.hurry(this.clock.now(), this.#unsent()));

  #unsent = () => this.#socket?.bufferedAmount ?? 0;

  send(text) {
    this.#socket?.send(text);
  }

  /** Does an operation on the instance, now; answers with its result. Errors carry the `code` of the server. */
  call(op, args = {}) {
    if (this.#line.phase !== 'live') return Promise.reject(coded('offline', 'There is no connection'));
    this.#callCount += 1;
    const opId = `${this.#replica}-call-${this.#callCount}`;
    return new Promise((resolve, reject) => {
      this.#calls.set(opId, { resolve, reject });
      this.#socket.send(JSON.stringify({ type: 'call', op, args, opId }));
    });
  }

  #tick() {
    this.run(() => this.#line.tick(this.clock.now(), this.#unsent()));
  }

  #open({ query }) {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const failed = error => {
      if (!signal.aborted) this.run(() => this.#line.failed(this.clock.now(), error.message, error instanceof Refusal));
    };
    const open = token => {
      if (!signal.aborted) this.#attach(new this.#WebSocket(this.address.socket(token, query)), signal);
    };
    try {
      const token = this.address.token(signal);
      if (typeof token?.then === 'function') token.then(open).catch(failed);
      else open(token);
    } catch (error) {
      failed(error);
    }
  }

  #attach(socket, signal) {
    this.#socket = socket;
    const during = act => event => {
      if (!signal.aborted) this.run(() => act(event));
    };
    socket.onmessage = during(({ data }) => this.#line.message(JSON.parse(data), this.clock.now()));
    socket.onclose = during(({ code, reason }) => this.#closed(code, reason));
    // A close follows, which says more.
    socket.onerror = () => {};
  }

  #closed(code, reason) {
    this.#detach();
    this.#line.closed(this.clock.now(), code, reason);
  }

  #detach() {
    this.#abort?.abort();
    this.#socket = null;
    for (const [id, { reject }] of this.#calls) {
      this.#calls.delete(id);
      reject(coded('offline', 'The connection was lost'));
    }
  }

  #close() {
    const socket = this.#socket;
    this.#detach();
    socket?.close();
  }

  #result({ opId, result, error }) {
    const call = this.#calls.get(opId);
    this.#calls.delete(opId);
    if (error) call?.reject(coded(error.code, error.message));
    else call?.resolve(result);
  }
}

export const coded = (code, message) => Object.assign(new Error(message), { code });
