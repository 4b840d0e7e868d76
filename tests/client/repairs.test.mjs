// What went wrong once, and holds now: against the model of a server, in virtual time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MindCache } from 'mindcache';
import { connectCloud, createCloudMindCache } from 'mindcache/cloud';
import { sent, Stage } from './stage.mjs';
import { Storage } from './world.mjs';

const LARGE = 'x'.repeat(1_000);

describe('a listener of errors that throws', () => {
  test('stops neither the others nor the connection', async t => {
    const told = t.mock.method(console, 'error', () => {});
    const stage = new Stage();
    const mc = createCloudMindCache(stage.config());
    const errors = [];
    mc.onError(() => { throw new Error('mine'); });
    mc.onError(({ code }) => errors.push(code));
    await stage.world.run(1_000);
    stage.network.turn(false);
    await stage.world.run(60_000);
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual([mc.connectionState, errors.includes('offline'), told.mock.callCount() > 0], ['connected', true, true]);
  });
});

describe('a value that JSON cannot write', () => {
  test('is for who gives it to hear of, and nothing else stops', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    const round = {};
    round.round = round;
    for (const value of [10n, { list: [1n] }, round, () => {}]) assert.throws(() => mc.set_value('k', value), TypeError);
    assert.deepEqual([mc.has('k'), mc.pending], [false, 0]);
    mc.set_value('other', { at: new Date(0), none: undefined });
    mc.set_value('nothing', undefined);
    stage.server.person('theirs', 1);
    await stage.world.run(1_000);
    assert.deepEqual([mc.get('other'), mc.get('nothing'), mc.get('theirs'), errors], [{ at: '1970-01-01T00:00:00.000Z' }, null, 1, []]);
    assert.deepEqual([stage.server.keys.get('other').value, mc.pending], [{ at: '1970-01-01T00:00:00.000Z' }, 0]);
  });

  test('keeps a MindCache that has it from being connected, and stays in one that is not', () => {
    const mc = new MindCache();
    mc.set_value('k', 10n);
    assert.throws(() => connectCloud(mc, new Stage().config()), TypeError);
    assert.deepEqual([mc.isCloud, mc.get('k')], [false, 10n]);
  });
});

describe('large values', () => {
  test('are not read again for what is said beside them, and are when somebody else changed them', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const messages = sent(stage.sockets[0]);
    // Answers come before the changes, as those of the program do.
    stage.sockets[0].session.lag = 60;
    mc.set_value('k', LARGE);
    await stage.world.run(1_000);
    for (const tag of ['a', 'b', 'c', 'd', 'e', 'f']) {
      mc.addTag('k', tag);
      await stage.world.run(20);
    }
    await stage.world.run(1_000);
    assert.deepEqual(messages.filter(({ op }) => op === 'read_key'), []);
    mc.addTag('k', 'g');
    stage.server.person('k', LARGE.toUpperCase());
    await stage.world.run(5_000);
    assert.deepEqual([mc.get('k') === LARGE.toUpperCase(), mc.getTags('k').includes('g'), mc.pending], [true, true, 0]);
  });

  test('are read as what they are on the server, whatever is said of them here', async () => {
    const stage = new Stage();
    const attributes = { type: 'json', contentType: null, contentTags: [], systemTags: ['LLMRead', 'LLMWrite'], zIndex: 0 };
    stage.server.person('k', '{}', attributes);
    const { mc } = await stage.client();
    stage.network.turn(false);
    await stage.world.run(60_000);
    stage.server.person('k', JSON.stringify({ text: LARGE }), attributes);
    mc.delete('k');
    const { enqueue } = stage.server;
    stage.server.enqueue = (from, message) => {
      if (message.type !== 'delete') return enqueue.call(stage.server, from, message);
      return stage.world.after(400, () => from.tell({ type: 'error', code: 'NO_PERMISSION', error: 'no', opId: message.opId }));
    };
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual(mc.get('k'), { text: LARGE });
  });
});

describe('connecting to another instance', () => {
  test('shows at once what its storage has, and lets listeners edit it', async () => {
    const [stage, other] = [new Stage(), new Stage()];
    const storage = new Storage();
    const at = () => ({ ...other.config({ storage }), instanceId: 'other' });
    other.server.instance = 'other';
    other.server.person('theirs', 'v');
    const first = createCloudMindCache(at());
    await other.world.run(5_000);
    first.disconnect();
    const { mc } = await stage.client();
    mc.subscribe('theirs', value => mc.set_value('heard', value));
    connectCloud(mc, at());
    assert.deepEqual([mc.get('theirs'), mc.getVersion('theirs'), mc.get('heard')], ['v', 1, 'v']);
    await other.world.run(60_000);
    assert.deepEqual([mc.get('theirs'), mc.isLoaded, mc.pending, other.server.keys.get('heard')?.value], ['v', true, 0, 'v']);
  });
});

describe('another user in the same browser', () => {
  /** What one user left behind, without a connection in the end. */
  async function left(stage, storage) {
    stage.server.person('theirs', 'of one');
    const { mc } = await stage.client({ storage });
    stage.network.turn(false);
    mc.set_value('waits', 1);
    await stage.world.run(3_000);
    mc.disconnect();
    stage.network.turn(true);
    return mc;
  }

  test('has nothing of the one before, says nothing in their name, and sees what is for them', async () => {
    const stage = new Stage();
    const storage = new Storage();
    await left(stage, storage);
    Object.assign(stage.server, { user: 'other' });
    stage.server.keys.delete('theirs');
    const { mc, errors } = await stage.client({ storage });
    mc.set_value('mine', 2);
    await stage.world.run(3_000);
    assert.deepEqual([mc.keys().slice(0, -2), errors, mc.pending, mc.connectionState], [['mine'], [['other_user', 'waits']], 0, 'connected']);
    assert.deepEqual([[...stage.server.keys.keys()], storage.load('keys').includes('of one')], [['mine'], false]);
  });

  test('keeps what they write before they are known', async () => {
    const stage = new Stage();
    const storage = new Storage();
    await left(stage, storage);
    stage.server.user = 'other';
    const mc = createCloudMindCache(stage.config({ storage }));
    const errors = [];
    mc.onError(({ code, key }) => errors.push([code, key]));
    mc.set_value('mine', 2);
    await stage.world.run(3_000);
    assert.deepEqual([[...stage.server.keys.keys()].sort(), errors, mc.pending], [['mine', 'theirs'], [['other_user', 'waits']], 0]);
  });

  test('is not the same one who comes back', async () => {
    const stage = new Stage();
    const storage = new Storage();
    await left(stage, storage);
    const { mc, errors } = await stage.client({ storage });
    await stage.world.run(3_000);
    assert.deepEqual([mc.keys().slice(0, -2), errors, stage.server.keys.get('waits').value], [['theirs', 'waits'], [], 1]);
  });

  test('who comes while it runs gets a new beginning', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    mc.set_value('k', 1);
    await stage.world.run(1_000);
    stage.network.turn(false);
    mc.set_value('waits', 1);
    Object.assign(stage.server, { user: 'other' });
    stage.server.keys.delete('k');
    stage.network.turn(true);
    await stage.world.run(60_000);
    mc.set_value('mine', 2);
    await stage.world.run(1_000);
    assert.deepEqual([mc.keys().slice(0, -2), errors.filter(([code]) => code !== 'offline'), mc.connectionState], [['mine'], [['other_user', 'waits']], 'connected']);
  });
});
