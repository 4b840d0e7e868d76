// Following the changes of an instance without its keys: against a server, killed and started again, and in virtual time.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { followChanges } from 'mindcache/changes';
import { Server } from './server.mjs';
import { Clock, World } from './world.mjs';

let server;
const open = new Set();

before(async () => { server = await Server.start(); });
after(() => server?.remove());
afterEach(() => {
  for (const link of open) link.disconnect();
  open.clear();
});

/** An instance of its own, and a key for it. */
async function instance() {
  const name = `i${randomBytes(4).toString('hex')}`;
  await server.person('instance', 'create', name);
  const key = await server.person('key', 'create', name, '--scope', `instance:${name}`);
  return { name, key, set: (key, value) => server.person('-i', name, 'set', key, value) };
}

/** Follows, keeps what it hears, and waits for what must come. */
function follower({ name, key }, more = {}) {
  const heard = { changes: [], gaps: [], states: [], errors: [] };
  const looking = new Set();
  const look = () => looking.forEach(each => each());
  const link = followChanges({
    instanceId: name, apiKey: key, baseUrl: server.url,
    onChanges: (changes, upTo) => { heard.changes.push(...changes); heard.upTo = upTo; look(); },
    onGap: reason => { heard.gaps.push(reason); look(); },
    onState: (state, pauseMs) => { heard.states.push(state); heard.pauseMs = pauseMs; look(); },
    onError: ({ code }) => { heard.errors.push(code); look(); },
    ...more,
  });
  open.add(link);
  const until = isSo => new Promise(resolve => {
    const each = () => {
      if (!isSo()) return;
      looking.delete(each);
      resolve();
    };
    looking.add(each);
    each();
  });
  return { link, heard, until };
}

describe('a follower', () => {
  test('hears what changes, by whom, and how values begin', async () => {
    const where = await instance();
    await where.set('before', '1');
    const { link, heard, until } = follower(where);
    await until(() => heard.upTo);
    assert.deepEqual([heard.changes, heard.upTo, link.connectionState, link.permission], [[], { seq: 1, head: 1 }, 'connected', 'write']);
    await where.set('k', 'word '.repeat(100));
    await server.person('-i', where.name, 'rm', 'before');
    await until(() => heard.changes.length === 2);
    const [{ row, actor }, gone] = heard.changes;
    assert.deepEqual([actor.kind, row.key, row.size, row.version, row.preview.length <= 160], ['human', 'k', 500, 2, true]);
    assert.deepEqual([gone.key, gone.change, gone.row, link.seq], ['before', 'deleted', undefined, 3]);
    const { keys, as_of_seq: asOf } = await link.call('key_browse', { limit: 10 });
    assert.deepEqual([keys.map(({ key }) => key), asOf], [['k'], 3]);
    await assert.rejects(link.call('no_such_operation'), error => typeof error.code === 'string');
  });

  test('goes on where it was when the server was killed, and hears nothing twice', async () => {
    const where = await instance();
    const { link, heard, until } = follower(where, { since: 0, pauses: [50, 200] });
    await until(() => heard.upTo);
    for (let round = 0; round < 3; round += 1) {
      await where.set('k', `${round} up`);
      await until(() => heard.changes.at(-1)?.row.preview === `${round} up`);
      await server.kill();
      await where.set('k', `${round} down`);
      await server.start();
      await until(() => heard.changes.at(-1)?.row.preview === `${round} down`);
    }
    assert.deepEqual(heard.changes.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual([heard.gaps, link.seq], [[], 6]);
    assert.ok(heard.states.includes('connecting') && heard.errors.every(code => code === 'offline'));
    // A program that begins anew with what the one before knew misses nothing.
    const { log } = link;
    link.disconnect();
    await assert.rejects(link.call('key_browse'), { code: 'offline' });
    await where.set('later', '1');
    const next = follower(where, { since: 6, log });
    await next.until(() => next.heard.changes.length === 1);
    assert.deepEqual([next.heard.changes[0].key, next.heard.gaps], ['later', []]);
  });

  test('is told when it is not told all', async () => {
    const where = await instance();
    await where.set('k', '1');
    const { link, heard, until } = follower(where, { since: 99 });
    await until(() => heard.upTo);
    assert.deepEqual([heard.gaps, heard.changes, link.seq], [['other_log'], [], 1]);
    await where.set('k', '2');
    await until(() => heard.changes.length === 1);
    assert.equal(heard.changes[0].seq, 2);
  });

  test('is refused with a wrong key', async () => {
    const { name } = await instance();
    const { link, heard, until } = follower({ name, key: 'mc_live_wrongwrongwrong' });
    await until(() => heard.errors.length > 0);
    assert.deepEqual([heard.errors[0], link.connectionState, link.permission], ['refused', 'error', null]);
  });
});

test('pauses grow to the longest, and a connection that was good starts them anew', async () => {
  const world = new World(3);
  const sockets = [];
  class Socket {
    constructor(url) {
      sockets.push({ url: new URL(url), at: world.time, socket: this });
    }

    send(text) {
      this.sent = text;
    }

    close() {}
  }
  const [pauses, heard] = [[], []];
  const link = followChanges({
    instanceId: 'i', baseUrl: 'http://model', tokenProvider: () => 't', WebSocket: Socket, clock: new Clock(world), random: () => 1,
    since: 5, pauses: [1_000, 8_000], onChanges: changes => heard.push(...changes.map(({ seq }) => seq)),
    onState: (state, pauseMs) => pauseMs !== null && pauses.push(pauseMs),
  });
  const last = () => sockets.at(-1).socket;
  for (let round = 0; round < 5; round += 1) {
    last().onclose({ code: 1006, reason: '' });
    await world.run(8_000);
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 8_000]);
  const tell = message => last().onmessage({ data: JSON.stringify(message) });
  tell({ type: 'auth_success', instanceId: 'one', permission: 'read' });
  tell({ type: 'changes', changes: [{ seq: 5 }, { seq: 6 }], seq: 6, head: 6, log: '6-6' });
  assert.deepEqual(heard, [6], 'what it began after is not told again');
  // Silence is asked about, and a ping without an answer is a loss.
  await world.run(25_000);
  assert.equal(last().sent, '{"type":"ping"}');
  await world.run(15_000);
  assert.deepEqual([pauses.at(-1), link.connectionState], [1_000, 'disconnected']);
  await world.run(1_000);
  const { searchParams } = sockets.at(-1).url;
  assert.deepEqual(['changes', 'since', 'log', 'v'].map(name => searchParams.get(name)), ['1', '6', '6-6', '2']);
  link.disconnect();
});
