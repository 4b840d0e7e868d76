// A world with its own time and its own chance: clocks, a network that breaks, storages that outlive their programs.

/** Numbers in [0, 1) that are the same for the same seed. */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class World {
  time = 0;
  #events = new Map();
  #next = 0;
  /** Promises may have something to do after this event. */
  isBusy = false;

  constructor(seed) {
    this.random = chance(seed);
  }

  /** A whole number below `end`. */
  below = end => Math.floor(this.random() * end);

  pick = list => list[this.below(list.length)];

  after(ms, act) {
    this.#next += 1;
    this.#events.set(this.#next, { at: this.time + Math.max(0, ms), act });
    return this.#next;
  }

  cancel(id) {
    this.#events.delete(id);
  }

  /** Lets so much time pass. */
  async run(ms) {
    const end = this.time + ms;
    for (;;) {
      let first;
      for (const [id, { at }] of this.#events) if (at <= end && (!first || at < first.at)) first = { id, at };
      if (!first) break;
      const { act } = this.#events.get(first.id);
      this.#events.delete(first.id);
      this.time = Math.max(this.time, first.at);
      act();
      if (this.isBusy) {
        this.isBusy = false;
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    this.time = end;
  }
}

/** What a client takes for the time: it may jump ahead, as when a lid was closed. */
export class Clock {
  ahead = 0;

  constructor(world) {
    this.world = world;
  }

  now = () => this.world.time + this.ahead;

  setTimeout = (act, ms) => this.world.after(ms, act);

  clearTimeout = id => this.world.cancel(id);
}

/** Keeps texts when its program is killed. */
export class Storage {
  #texts = new Map();

  load = part => this.#texts.get(part) ?? null;

  save = (part, text) => { this.#texts.set(part, text); };
}

/** The sockets of one client, to one server. */
export class Network {
  isOn = true;
  sockets = new Set();

  constructor(world, server) {
    this.world = world;
    this.server = server;
    const network = this;
    this.WebSocket = class {
      constructor(url) {
        this.line = new Line(network, new URL(url), this);
      }

      send(text) {
        this.line.toServer(text);
      }

      close() {
        this.line.end(1000, '', false);
      }
    };
  }

  /** Without a network nothing comes through, and nobody is told. */
  turn(isOn) {
    this.isOn = isOn;
    if (!isOn) this.cut(false);
  }

  /** Breaks every connection. When nobody `isTold`, the client has to find out by itself. */
  cut(isTold = true) {
    for (const line of [...this.sockets]) line.end(1006, '', isTold);
  }
}

/** One connection. What is under way keeps its order, and is gone when the connection is. */
class Line {
  isOpen = true;
  #arrival = [0, 0];

  constructor(network, url, socket) {
    this.network = network;
    this.socket = socket;
    this.world = network.world;
    network.sockets.add(this);
    this.#later(0, () => {
      if (!network.isOn) this.end(1006, '', true);
      else this.session = network.server.accept(url, this);
    });
  }

  #later(way, act) {
    const at = Math.max(this.#arrival[way], this.world.time + 1 + this.world.below(40));
    this.#arrival[way] = at;
    this.world.after(at - this.world.time, () => this.isOpen && act());
  }

  toServer(text) {
    this.#later(0, () => this.network.isOn && this.session?.hear(JSON.parse(text)));
  }

  toClient(message) {
    this.#later(1, () => {
      if (!this.network.isOn) return;
      if (message.type === 'result') this.world.isBusy = true;
      this.socket.onmessage?.({ data: JSON.stringify(message) });
    });
  }

  /** After what is under way. */
  close(code, reason) {
    this.#later(1, () => this.end(code, reason, true));
  }

  end(code, reason, isTold) {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.network.sockets.delete(this);
    this.session?.gone();
    if (isTold) this.world.after(1, () => this.socket.onclose?.({ code, reason }));
  }
}
