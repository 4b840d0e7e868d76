// Many runs of chance, each the same for its seed: networks break, programs are killed, clocks jump, and in the end
// everybody has the same, everything acknowledged is there, and nothing was done twice.
//
//   SEEDS=1000 node --test simulation.test.mjs      more of them
//   SEED=17 node --test simulation.test.mjs         this one alone
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MindCache } from 'mindcache';
import { ModelServer } from './model-server.mjs';
import { Clock, Network, Storage, World } from './world.mjs';

const HOUR = 3_600_000;
const SHARED = ['s1', 's2', 's3', 's4'];

/** One program: it may be killed, and starts again with what its storage has. */
class Program {
  #starts = 0;
  #count = 0;
  /** By key: the largest number that the server acknowledged. */
  acknowledged = new Map();
  /** By own key: the value that the last edit gave it, and when. */
  expected = new Map();
  errors = [];
  faults = [];

  constructor(world, server, name, hasStorage = true) {
    Object.assign(this, { world, name, hasStorage, storage: new Storage(), clock: new Clock(world), network: new Network(world, server) });
    this.start();
  }

  start() {
    this.#starts += 1;
    const replica = `${this.name}.${this.#starts}`;
    const clock = new Clock(this.world);
    clock.ahead = this.clock.ahead;
    this.clock = clock;
    this.isAlive = true;
    // A program that is killed hears and does nothing any more.
    const living = { now: clock.now, setTimeout: (act, ms) => clock.setTimeout(() => this.clock === clock && this.isAlive && act(), ms), clearTimeout: clock.clearTimeout };
    this.mc = new MindCache({
      cloud: {
        instanceId: 'i', baseUrl: 'http://model', tokenProvider: () => 't', WebSocket: this.network.WebSocket, clock: living,
        random: this.world.random, replica: () => replica, storage: this.hasStorage ? this.storage : null,
      },
    });
    this.mc.onError(error => error.code !== 'offline' && this.errors.push(error));
    // Nobody else writes its own keys: they meet nothing, but what a start before this one wrote, and never go back.
    this.mc.onConflict(({ key }) => this.own.includes(key) && this.#starts === 1 && this.faults.push(`${key} met itself`));
    for (const key of this.own) {
      let last = 0;
      this.mc.subscribe(key, value => {
        const number = Number((parsed(value) || [])[2] ?? last);
        if (number < last) this.faults.push(`${key} was shown as ${number} after ${last}`);
        last = number;
      });
    }
  }

  kill() {
    this.isAlive = false;
    // Edits of the last moment were not in the storage yet.
    for (const [key, { at }] of this.expected) if (at > this.world.time - 25) this.expected.delete(key);
    for (const line of [...this.network.sockets]) {
      line.socket.onmessage = line.socket.onclose = null;
      line.end(1006, '', false);
    }
  }

  get own() {
    return [`${this.name}1`, `${this.name}2`, `${this.name}3`];
  }

  edit() {
    const { world, mc } = this;
    const key = world.pick(world.random() < 0.5 ? SHARED : this.own);
    const what = world.random();
    this.#count += 1;
    const isOwn = this.own.includes(key);
    let isValue = what >= 0.36 || (what >= 0.12 && !mc.has(key));
    if (what < 0.12) isValue = mc.delete(key);
    else if (what < 0.24 && mc.has(key)) mc.addTag(key, `t${world.below(3)}`);
    else if (what < 0.36 && mc.has(key)) mc.set_attributes(key, world.below(3) ? { contentType: `text/${world.below(3)}` } : { zIndex: world.below(5) });
    else mc.set_value(key, this.#value(), what < 0.5 ? { visible: what < 0.46 } : undefined);
    if (isOwn && isValue) this.expected.set(key, { value: mc.get_value(key), at: world.time });
  }

  #value() {
    const text = `${this.name}:${this.#count}`;
    return this.world.random() < 0.25 ? text.padEnd(130 + this.world.below(300), '.') : text;
  }
}

const parsed = value => typeof value === 'string' && /^([a-z]):(\d+)/.exec(value);

/** What one has, in a form that compares. */
const held = mc => mc._names().map(key => [key, mc.get_value(key), mc.getTags(key), mc.get_attributes(key).systemTags.join(), mc.get_attributes(key).zIndex]).sort();
const kept = server => [...server.keys].map(([key, { value, attributes: { contentTags, systemTags, zIndex } }]) => [key, value, contentTags, systemTags.join(), zIndex]).sort();

/** Everything works again, until nothing is left to do. */
async function settle(world, server, programs) {
  server.isUp = true;
  server.overload = 0;
  for (const program of programs) {
    program.network.turn(true);
    if (!program.isAlive) program.start();
  }
  for (let minutes = 0; minutes < 10; minutes += 1) {
    await world.run(60_000);
    if (programs.every(({ mc }) => mc.isLoaded && mc.connectionState === 'connected' && mc.pending === 0)) break;
  }
  await world.run(60_000);
}

function check(server, programs, { overload = 0, isOrdered = true } = {}) {
  for (const { name, mc, errors } of programs) {
    assert.equal(mc.pending, 0, `${name} has edits left`);
    assert.deepEqual(held(mc), kept(server), `${name} differs from the server`);
    assert.deepEqual(errors.filter(({ code }) => !['not_found', 'overloaded'].includes(code)), [], `${name} was refused`);
  }
  // Each edit counts once, and those of one program on one key in their order.
  const seen = new Set();
  const last = new Map();
  for (const { key, value, opId } of server.changes) {
    assert.ok(opId === undefined || !seen.has(opId), `${opId} was done twice`);
    seen.add(opId);
    const [, name, number] = parsed(value) || [];
    if (!name) continue;
    const place = `${name} ${key}`;
    // An edit of attributes has the value that stands there.
    const isOwn = programs.find(program => program.name === name)?.own.includes(key);
    // What was put off may come after a later edit, which is then done anew.
    if (isOwn && overload === 0) assert.ok(Number(number) >= (last.get(place) ?? 0), `${key} went back from ${last.get(place)} to ${number}`);
    last.set(place, Number(number));
  }
  for (const { faults, expected } of programs) {
    // An answer that overtakes another may show an older value for a moment.
    if (overload === 0 && isOrdered) assert.deepEqual(faults, []);
    for (const [key, { value }] of expected) assert.equal(server.keys.get(key)?.value, value, `the last edit of ${key}`);
  }
  for (const { name, acknowledged } of programs) {
    for (const [key, number] of acknowledged) assert.ok((last.get(`${name} ${key}`) ?? 0) >= number, `${key} lost its acknowledged ${number}`);
  }
}

/** What is there when nothing is pending was acknowledged. */
function note(programs) {
  for (const { mc, own, acknowledged, isAlive } of programs) {
    if (!isAlive || mc.pending > 0 || !mc.isLoaded) continue;
    for (const key of own) {
      const [, , number] = parsed(mc._entries.get(key)?.value) || [];
      if (number) acknowledged.set(key, Math.max(acknowledged.get(key) ?? 0, Number(number)));
    }
  }
}

async function run(seed) {
  const world = new World(seed);
  const server = new ModelServer(world);
  const overload = server.overload = world.pick([0, 0, 0.05, 0.3]);
  server.isOrdered = world.random() < 0.5;
  const programs = ['a', 'b', 'c'].slice(0, 2 + world.below(2)).map(name => new Program(world, server, name));
  for (let step = 0; step < 120; step += 1) {
    await world.run(world.pick([1, 5, 30, 200, 2_000, 20_000]));
    note(programs);
    const program = world.pick(programs);
    const what = world.random();
    if (what < 0.6) {
      for (let edits = 1 + world.below(4); edits > 0 && program.isAlive; edits -= 1) program.edit();
    } else if (what < 0.7) program.network.cut(world.random() < 0.7);
    else if (what < 0.75) program.network.turn(!program.network.isOn);
    else if (what < 0.8) server.crash();
    else if (what < 0.86) server.isUp = true;
    else if (what < 0.9) program.kill();
    else if (what < 0.95 && !program.isAlive) program.start();
    else if (what < 0.97) program.clock.ahead += world.pick([10_000, HOUR, 24 * HOUR]);
    else if (what < 0.98) server.trim();
    else if (what < 0.99) server.person(world.pick(SHARED), 'p:1');
  }
  await settle(world, server, programs);
  check(server, programs, { overload, isOrdered: server.isOrdered });
  for (const { mc } of programs) mc.disconnect();
}

const seeds = process.env.SEED ? [Number(process.env.SEED)] : Array.from({ length: Number(process.env.SEEDS ?? 300) }, (_, at) => at + 1);

test(`${seeds.length} runs, seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
  for (const seed of seeds) {
    try {
      await run(seed);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});

test('offline for an hour with 1,000 edits, and both sides are killed meanwhile', async () => {
  for (const seed of seeds.slice(0, 20)) {
    const world = new World(seed);
    const server = new ModelServer(world);
    const [one, other] = ['a', 'b'].map(name => new Program(world, server, name));
    await settle(world, server, [one, other]);
    one.network.turn(false);
    for (let edit = 0; edit < 1_000; edit += 1) {
      one.edit();
      if (edit % 10 === 0) other.edit();
      await world.run(HOUR / 1_000);
      if (edit === 400) server.crash();
      if (edit === 420) server.isUp = true;
      if (edit === 500) one.kill();
      if (edit === 500) one.start();
      if (edit === 700) one.clock.ahead += 24 * HOUR;
    }
    const mine = one.own.map(key => one.mc.get(key));
    await settle(world, server, [one, other]);
    check(server, [one, other]);
    assert.deepEqual(one.own.map(key => other.mc.get(key)), mine, `seed ${seed}`);
    for (const { mc } of [one, other]) mc.disconnect();
  }
});
