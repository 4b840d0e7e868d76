// One thing at a time that a connected MindCache does, against the model of a server, in virtual time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MindCache } from 'mindcache';
import { connectCloud, createCloudMindCache } from 'mindcache/cloud';
import { sent, Stage } from './stage.mjs';
import { Clock, Storage } from './world.mjs';

const text = value => ({ value, attributes: { type: 'text', contentType: null, contentTags: [], systemTags: ['LLMRead'], zIndex: 0 } });

describe('edits', () => {
  test('reach the other, attributes and tags too, and are not sent back', async () => {
    const stage = new Stage();
    const [{ mc: one }, { mc: other }] = [await stage.client(), await stage.client()];
    const back = sent(stage.sockets[1]);
    const heard = [];
    other.subscribe('k', value => heard.push(value));
    one.set_value('k', { a: [1] }, { type: 'json', tags: ['t'], readonly: true, zIndex: 3 });
    one.addTag('k', 'u');
    await stage.world.run(1_000);
    assert.deepEqual([other.get('k'), other.getTags('k'), other.get_attributes('k')], [{ a: [1] }, ['t', 'u'], one.get_attributes('k')]);
    one.delete('k');
    await stage.world.run(1_000);
    assert.deepEqual([other.has('k'), heard, back], [false, [{ a: [1] }, undefined], []]);
    assert.deepEqual([one.pending, one.getVersion('k')], [0, 0]);
  });

  test('that change nothing are not sent, and none is sent twice', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const messages = sent(stage.sockets[0]);
    mc.set_value('k', 'v');
    mc.set_value('k', 'v');
    mc.set_attributes('k', { zIndex: 0 });
    await stage.world.run(1_000);
    mc.update({ k: 'v' });
    mc.deserialize(mc.serialize());
    await stage.world.run(60_000);
    assert.deepEqual(messages.filter(({ type }) => type !== 'ping').map(({ type }) => type), ['set']);
  });

  test('what the program does to a value later is no edit', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const value = { list: [1] };
    mc.set_value('k', value);
    value.list.push(2);
    await stage.world.run(1_000);
    assert.deepEqual([mc.get('k'), stage.server.keys.get('k').value, mc.get_attributes('k').type], [{ list: [1] }, { list: [1] }, 'json']);
  });

  test('that are refused are taken back, with a word', async () => {
    const stage = new Stage();
    stage.server.person('k', 'theirs');
    const { mc, errors } = await stage.client();
    stage.server.permission = 'read';
    const heard = [];
    mc.subscribe('k', value => heard.push(value));
    mc.set_value('k', 'mine');
    assert.equal(mc.get('k'), 'mine');
    await stage.world.run(1_000);
    assert.deepEqual([mc.get('k'), heard, errors, mc.pending], ['theirs', ['mine', 'theirs'], [['NO_PERMISSION', 'k']], 0]);
  });

  test('an agent may not make in full are made as the server makes keys', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    stage.server.isAgent = true;
    mc.set_value('k', 1, { tags: ['t'] });
    mc.set_value('k', 2);
    const done = mc.flush();
    await stage.world.run(1_000);
    await done;
    const { value, attributes } = stage.server.keys.get('k');
    assert.deepEqual([value, attributes.contentTags, attributes.systemTags, mc.get('k'), errors], [2, ['t'], ['LLMRead', 'LLMWrite'], 2, []]);
  });

  test('too large for the server do not even go', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    const messages = sent(stage.sockets[0]);
    mc.set_value('k', 'x'.repeat(1_000_001));
    await stage.world.run(1_000);
    assert.deepEqual([mc.has('k'), errors, messages.length], [false, [['too_large', 'k']], 0]);
  });

  test('the server cannot take now go again, never after a later one', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.server.overload = 0.5;
    for (let number = 0; number < 50; number += 1) {
      mc.set_value('k', `${number}`, number === 3 ? { tags: ['t'] } : undefined);
      await stage.world.run(7);
    }
    await stage.world.run(60_000);
    const values = stage.server.changes.filter(({ value }) => value !== undefined).map(({ value }) => Number(value));
    assert.deepEqual([mc.pending, mc.get('k'), mc.getTags('k'), values.at(-1)], [0, '49', ['t'], 49]);
    assert.deepEqual(values, [...values].sort((a, b) => a - b));
  });

  test('defaults are for a key that is not there, and what is said counts for one that is', async () => {
    const stage = new Stage();
    stage.server.person('k', 'theirs', { ...text().attributes, contentTags: ['kept'], zIndex: 5 });
    const mc = createCloudMindCache(stage.config());
    mc.set_value('k', 'mine', { zIndex: 2 });
    mc.set_value('new', 'mine', { zIndex: 2 });
    await stage.world.run(1_000);
    const [old, made] = ['k', 'new'].map(key => stage.server.keys.get(key).attributes);
    assert.deepEqual([old.contentTags, old.systemTags, old.zIndex], [['kept'], ['LLMRead'], 2]);
    assert.deepEqual([made.contentTags, made.systemTags, made.zIndex], [[], ['SystemPrompt', 'LLMWrite'], 2]);
  });

  test('clear and deserialize delete what was seen only', async () => {
    const stage = new Stage();
    for (const key of ['a', 'b']) stage.server.person(key, key);
    const { mc } = await stage.client();
    stage.network.turn(false);
    stage.server.person('unseen', 'x');
    mc.deserialize({ b: { value: 'b', attributes: { systemTags: ['LLMRead', 'LLMWrite'] } }, c: { value: 'c', attributes: {} } });
    stage.network.turn(true);
    await stage.world.run(120_000);
    assert.deepEqual([...stage.server.keys.keys()].sort(), ['b', 'c', 'unseen']);
    mc.clear();
    await stage.world.run(1_000);
    assert.deepEqual([stage.server.keys.size, mc.size()], [0, 2]);
  });
});

describe('without a connection', () => {
  test('edits of one key become one, a deletion too, and what was sent stays as it was', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.network.turn(false);
    mc.set_value('sent', '1');
    await stage.world.run(60_000);
    for (let number = 0; number < 100; number += 1) mc.set_value('k', number, { tags: [`${number}`] });
    mc.set_value('gone', 1);
    mc.delete('gone');
    mc.set_value('sent', '2');
    assert.equal(mc.pending, 4);
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual([mc.pending, mc.getTags('k'), stage.server.keys.get('k').value, stage.server.changes.filter(({ key }) => key === 'k').length], [0, ['99'], 99, 1]);
    assert.deepEqual([stage.server.keys.get('sent').value, stage.server.keys.has('gone')], ['2', false]);
  });

  test('what the other deleted meanwhile is gone, and stays so', async () => {
    const stage = new Stage();
    const [{ mc: one }, { mc: other }] = [await stage.client(), await stage.client()];
    one.set_value('k', 1);
    await stage.world.run(1_000);
    for (const isTrimmed of [false, true]) {
      stage.network.turn(false);
      await stage.world.run(60_000);
      stage.server.person('k', undefined);
      if (isTrimmed) stage.server.trim();
      stage.network.turn(true);
      await stage.world.run(60_000);
      assert.deepEqual([one.has('k'), other.has('k'), stage.server.keys.has('k')], [false, false, false]);
      one.set_value('k', 2);
      await stage.world.run(1_000);
    }
  });

  test('what a broken answer had begun to tell is forgotten', async () => {
    for (let at = 30; at < 200; at += 1) {
      const stage = new Stage();
      for (let number = 0; number < 12; number += 1) stage.server.person(`k${number}`, number);
      const mc = createCloudMindCache(stage.config());
      await stage.world.run(at);
      stage.network.cut();
      for (const key of ['k0', 'k1', 'k2']) stage.server.person(key, undefined);
      stage.server.person('new', 1);
      await stage.world.run(60_000);
      assert.deepEqual(mc.keys().slice(0, -2).sort(), [...stage.server.keys.keys()].sort(), `cut at ${at}`);
    }
  });

  test('an edit that replaces what somebody else wrote says so', async () => {
    const stage = new Stage();
    const { mc, conflicts } = await stage.client();
    mc.set_value('k', 'first');
    await stage.world.run(1_000);
    stage.network.turn(false);
    mc.set_value('k', 'mine');
    stage.server.person('k', 'theirs');
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual(conflicts, [{ key: 'k', mine: 'mine', theirs: 'theirs', kept: 'mine', version: 3 }]);
    assert.equal(stage.server.keys.get('k').value, 'mine');
  });

  test('an edit whose answer was lost is no conflict with itself', async () => {
    const stage = new Stage();
    const { mc, conflicts } = await stage.client();
    for (let number = 0; number < 50; number += 1) {
      mc.set_value('k', number);
      await stage.world.run(20 + number);
      stage.network.cut();
      await stage.world.run(5_000);
    }
    assert.deepEqual([conflicts, mc.get('k'), stage.server.keys.get('k').value], [[], 49, 49]);
  });
});

describe('conditions', () => {
  test('give way to what is there, with both values', async () => {
    const stage = new Stage();
    const { mc, conflicts } = await stage.client();
    mc.set_value('k', 'first');
    await stage.world.run(1_000);
    const ifVersion = mc.getVersion('k');
    stage.server.person('k', 'theirs');
    mc.set_value('k', 'mine', {}, { ifVersion });
    mc.set_value('new', 'mine', {}, { ifVersion: 0 });
    await stage.world.run(1_000);
    assert.deepEqual(conflicts, [{ key: 'k', mine: 'mine', theirs: 'theirs', kept: 'theirs', version: 2 }]);
    assert.deepEqual([mc.get('k'), mc.get('new'), mc.pending], ['theirs', 'mine', 0]);
  });
});

describe('migration', () => {
  test('keys that were there go where the server has none, and give way where it has', async () => {
    const stage = new Stage();
    stage.server.person('both', 'theirs');
    stage.server.person('same', 'x');
    stage.server.person('theirs', 'x');
    const mc = new MindCache();
    for (const [key, value] of [['both', 'mine'], ['same', 'x'], ['mine', 'x']]) mc.set_value(key, value);
    const link = connectCloud(mc, stage.config());
    const conflicts = [];
    link.onConflict(conflict => conflicts.push(conflict));
    assert.deepEqual([mc.isCloud, mc.isLoaded, mc.get('both')], [true, false, 'mine']);
    await stage.world.run(1_000);
    assert.deepEqual(conflicts.map(({ key, mine, theirs, kept }) => [key, mine, theirs, kept]), [['both', 'mine', 'theirs', 'theirs']]);
    assert.deepEqual([...stage.server.keys].map(([key, { value }]) => [key, value]).sort(), [['both', 'theirs'], ['mine', 'x'], ['same', 'x'], ['theirs', 'x']]);
    assert.deepEqual([mc.get('both'), link.permission, link.instanceId], ['theirs', 'write', 'the-instance']);
  });

  test('what is written after connecting is written', async () => {
    const stage = new Stage();
    stage.server.person('k', 'theirs');
    const mc = new MindCache();
    mc.set_value('k', 'before');
    connectCloud(mc, stage.config());
    mc.set_value('k', 'after');
    await stage.world.run(1_000);
    assert.deepEqual([mc.get('k'), stage.server.keys.get('k').value], ['after', 'after']);
  });

  test('connecting again to the same instance goes on', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const config = stage.config();
    mc.disconnect();
    assert.equal(mc.connectionState, 'disconnected');
    mc.set_value('k', 'later');
    await stage.world.run(60_000);
    assert.deepEqual([stage.sockets.length, mc.pending], [0, 1]);
    connectCloud(mc, config);
    await stage.world.run(1_000);
    assert.deepEqual([stage.sockets.length, mc.pending, stage.server.keys.get('k').value], [1, 0, 'later']);
  });

  test('edits for an instance that is gone do not go to another one', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    mc.set_value('old', 1);
    await stage.world.run(1_000);
    stage.network.turn(false);
    mc.set_value('waits', 1);
    Object.assign(stage.server, { instance: 'another', log: 'another', keys: new Map(), changes: [], seq: 0 });
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual([stage.server.keys.size, mc.keys().length, errors.filter(([code]) => code !== 'offline')], [0, 2, [['other_instance', 'waits']]]);
  });
});

describe('the connection', () => {
  test('comes back after longer and longer pauses, all of chance, and at once when it was well', async () => {
    const stage = new Stage();
    const opened = [];
    const { world, network } = stage;
    const Counted = class extends network.WebSocket {
      constructor(url) {
        super(url);
        opened.push(world.time);
      }
    };
    const { mc } = await stage.client({ WebSocket: Counted });
    stage.server.crash();
    await world.run(200_000);
    const pauses = opened.slice(1).map((at, index) => Math.round((at - opened[index]) / 1_000));
    assert.deepEqual(pauses.slice(1, 9), [2, 4, 8, 16, 30, 30, 30, 30]);
    assert.equal(mc.connectionState, 'error');
    stage.server.isUp = true;
    await world.run(31_000);
    assert.equal(mc.connectionState, 'connected');
    stage.network.cut();
    opened.length = 0;
    await world.run(1_200);
    assert.equal(opened.length, 1);
  });

  test('is not dead while what was said goes out, however slowly', async () => {
    const stage = new Stage();
    const { network, world } = stage;
    let unsent = 0;
    const Slow = class extends network.WebSocket {
      get bufferedAmount() {
        return unsent;
      }
    };
    const { mc } = await stage.client({ WebSocket: Slow });
    network.turn(false);
    mc.set_value('k', 'large');
    for (unsent = 10; unsent > 0; unsent -= 1) {
      await world.run(14_000);
      assert.equal(mc.connectionState, 'connected');
    }
    await world.run(45_000);
    assert.notEqual(mc.connectionState, 'connected');
  });

  test('that is too slow for an edit is told of, and the edit waits for a faster one', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    mc.set_value('k', 'large');
    for (const line of [...stage.network.sockets]) line.end(4003, 'a large message takes too long to arrive', true);
    await stage.world.run(100);
    assert.deepEqual([errors, mc.pending], [[['too_slow', 'k']], 1]);
    await stage.world.run(10_000);
    assert.deepEqual([stage.server.keys.get('k').value, errors.length], ['large', 1]);
  });

  test('that is dead without a word is found out', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.network.turn(false);
    mc.set_value('k', 1);
    await stage.world.run(24_000);
    assert.equal(mc.connectionState, 'connected');
    await stage.world.run(17_000);
    assert.notEqual(mc.connectionState, 'connected');
  });

  test('is pinged when nothing is said, and outlives a clock that jumps', async () => {
    const stage = new Stage();
    const clock = new Clock(stage.world);
    const { mc } = await stage.client({ clock });
    const messages = sent(stage.sockets[0]);
    await stage.world.run(60_000);
    assert.equal(messages.filter(({ type }) => type === 'ping').length, 2);
    clock.ahead += 48 * 3_600_000;
    await stage.world.run(60_000);
    assert.deepEqual([mc.connectionState, stage.sockets.length], ['connected', 1]);
  });

  test('tells its state, and resolves what waits', async () => {
    const stage = new Stage();
    const mc = createCloudMindCache(stage.config());
    const states = [mc.connectionState];
    mc.subscribeToAll(() => states.at(-1) === mc.connectionState || states.push(mc.connectionState));
    const waiting = mc.waitForSync();
    await stage.world.run(1_000);
    await waiting;
    mc.set_value('k', 1);
    const flushed = mc.flush();
    await stage.world.run(1_000);
    await flushed;
    const never = assert.rejects(Promise.all([new Promise(() => {}), (mc.set_value('k', 2), mc.flush())]), /disconnected/);
    mc.disconnect();
    await never;
    assert.deepEqual([states, mc.isLoaded], [['connecting', 'connected', 'disconnected'], true]);
  });

  test('a listener that throws stops neither the others nor the connection', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    const heard = [];
    mc.subscribe('k', () => { throw new Error('mine'); });
    mc.subscribe('other', value => heard.push(value));
    stage.server.person('k', 1);
    stage.server.person('other', 2);
    await stage.world.run(1_000);
    assert.deepEqual([heard, errors, mc.connectionState], [[2], [['listener', undefined]], 'connected']);
  });
});

describe('large values', () => {
  test('come after the rest, and the one before stands until then', async () => {
    const stage = new Stage();
    stage.server.person('k', 'small');
    const { mc } = await stage.client();
    const heard = [];
    mc.subscribe('k', value => heard.push(value.length));
    const large = 'x'.repeat(1_000);
    stage.server.person('k', large);
    await stage.world.run(5_000);
    assert.deepEqual([mc.get('k') === large, heard], [true, [1_000]]);
    const { mc: late } = await stage.client();
    await stage.world.run(5_000);
    assert.equal(late.get('k'), large);
  });

  test('that are our own are not fetched', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const messages = sent(stage.sockets[0]);
    // Answers come before the changes, as those of the program do.
    stage.sockets[0].session.lag = 60;
    mc.set_value('k', 'x'.repeat(1_000));
    await stage.world.run(1_000);
    mc.addTag('k', 't');
    await stage.world.run(1_000);
    assert.deepEqual([messages.map(({ op, type }) => op ?? type), mc.get('k').length], [['set', 'set_key_attributes'], 1_000]);
  });
});

describe('storage', () => {
  test('brings back what was there, and edits that were not acknowledged', async () => {
    const stage = new Stage();
    const storage = new Storage();
    const { mc } = await stage.client({ storage });
    mc.set_value('acknowledged', 1);
    await stage.world.run(3_000);
    stage.network.turn(false);
    mc.set_value('waits', 2);
    await stage.world.run(3_000);
    const next = createCloudMindCache(stage.config({ storage }));
    assert.deepEqual([next.get('acknowledged'), next.get('waits'), next.pending, next.isLoaded], [1, 2, 1, false]);
    mc.disconnect();
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual([next.pending, stage.server.keys.get('waits').value], [0, 2]);
  });

  test('that answers later is waited for, and edits made meanwhile come last', async () => {
    const stage = new Stage();
    const storage = new Storage();
    const { mc } = await stage.client({ storage });
    stage.network.turn(false);
    mc.set_value('k', 'old');
    await stage.world.run(3_000);
    mc.disconnect();
    const slow = { load: async part => storage.load(part), save: async (part, kept) => storage.save(part, kept) };
    stage.network.turn(true);
    const next = createCloudMindCache(stage.config({ storage: slow }));
    next.set_value('k', 'new');
    await new Promise(resolve => setImmediate(resolve));
    await stage.world.run(3_000);
    assert.deepEqual([next.get('k'), stage.server.keys.get('k').value, next.pending], ['new', 'new', 0]);
  });

  test('that is damaged or full is no end', async () => {
    const stage = new Stage();
    const broken = { load: () => '{broken', save: () => { throw new Error('full'); } };
    const { mc, errors } = await stage.client({ storage: broken });
    mc.set_value('k', 1);
    await stage.world.run(3_000);
    assert.deepEqual([stage.server.keys.get('k').value, errors.every(([code]) => code === 'storage'), errors.length > 0], [1, true, true]);
  });
});
