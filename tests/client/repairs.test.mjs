// What went wrong once, and holds now: against the model of a server, in virtual time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MindCache } from 'mindcache';
import { connectCloud, createCloudMindCache } from 'mindcache/cloud';
import { sent, Stage } from './stage.mjs';
import { Storage } from './world.mjs';

const LARGE = 'x'.repeat(1_000);
const tick = () => new Promise(resolve => setImmediate(resolve));

/** Lets time pass until something is so. */
async function until(stage, isSo) {
  for (let at = 0; at < 1_000 && !isSo(); at += 1) {
    await stage.world.run(1);
    await tick();
  }
  assert.ok(isSo());
}

describe('an edit of the type', () => {
  test('waits for a large value that is still coming, and never writes another one', async () => {
    for (const before of [undefined, 'old']) {
      const stage = new Stage();
      if (before) stage.server.person('k', before);
      const { mc, errors } = await stage.client();
      const messages = sent(stage.sockets[0]);
      stage.server.person('k', LARGE);
      await until(stage, () => mc.getVersion('k') === stage.server.seq);
      assert.equal(mc.get('k'), before);
      mc.addTag('k', 'before');
      mc.set_attributes('k', { contentType: 'text/markdown' });
      mc.set_value('other', 1);
      mc.addTag('k', 'after');
      await stage.world.run(5_000);
      const { value, attributes } = stage.server.keys.get('k');
      assert.deepEqual([value === LARGE, attributes.contentType, attributes.contentTags], [true, 'text/markdown', ['before', 'after']]);
      assert.deepEqual([mc.pending, errors, mc.get('k') === LARGE, stage.server.keys.get('other').value], [0, [], true, 1]);
      assert.deepEqual(messages.filter(({ op }) => op !== 'read_key').map(({ key, args }) => key ?? args.key), ['k', 'other', 'k']);
    }
  });

  test('does not wait when the value is written with it, or before it', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.server.person('k', LARGE);
    await until(stage, () => mc.getVersion('k') === 1);
    mc.set_attributes('k', { contentType: 'text/markdown' });
    mc.set_value('k', 'mine');
    await stage.world.run(1_000);
    assert.deepEqual([stage.server.keys.get('k').value, stage.server.keys.get('k').attributes.contentType, mc.pending], ['mine', 'text/markdown', 0]);
  });

  test('is refused when the value cannot be read, and what comes after it goes', async () => {
    const stage = new Stage();
    const { mc, errors } = await stage.client();
    const { session } = stage.sockets[0];
    const { hear } = session;
    session.hear = message => {
      if (message.op !== 'read_key') return hear.call(session, message);
      stage.world.after(100, () => { stage.world.isBusy = true; });
      return session.tell({ type: 'error', code: 'internal', error: 'broken', opId: message.opId });
    };
    stage.server.person('k', LARGE);
    await until(stage, () => mc.getVersion('k') === 1);
    const ifVersion = mc.getVersion('k');
    mc.set_attributes('k', { contentType: 'text/markdown' });
    mc.set_value('k', 'mine', {}, { ifVersion });
    await stage.world.run(2_000);
    assert.deepEqual([stage.server.keys.get('k').value, mc.pending, errors], ['mine', 0, [['fetch', 'k'], ['fetch', 'k']]]);
    stage.server.person('k', LARGE);
    await stage.world.run(2_000);
    mc.set_attributes('k', { contentType: 'text/markdown' });
    await stage.world.run(2_000);
    assert.deepEqual([stage.server.keys.get('k').value === LARGE, mc.pending, errors.length], [true, 0, 4]);
  });

  test('of a key that is gone by then does not bring it back', async () => {
    const stage = new Stage();
    stage.server.person('k', '"v"');
    const { mc, errors } = await stage.client();
    stage.network.turn(false);
    await stage.world.run(60_000);
    mc.set_attributes('k', { type: 'json' });
    stage.server.person('k', undefined);
    stage.network.turn(true);
    await stage.world.run(60_000);
    assert.deepEqual([stage.server.keys.has('k'), mc.has('k'), mc.pending, errors.at(-1)], [false, false, 0, ['not_found', 'k']]);
  });
});

describe('edits that an earlier start did not send', () => {
  test('go as they would have gone: with defaults, and with the value whose type they change', async () => {
    const stage = new Stage();
    const storage = new Storage();
    stage.server.person('old', '{"a":1}');
    const { mc } = await stage.client({ storage });
    stage.network.turn(false);
    await stage.world.run(60_000);
    mc.set_value('new', 'x');
    mc.set_attributes('old', { type: 'json' });
    await stage.world.run(3_000);
    mc.disconnect();
    stage.network.turn(true);
    const { mc: next, errors } = await stage.client({ storage });
    await stage.world.run(10_000);
    const [made, old] = ['new', 'old'].map(key => stage.server.keys.get(key));
    assert.deepEqual([made.attributes.systemTags, old.attributes.type, old.value], [['SystemPrompt', 'LLMWrite'], 'json', '{"a":1}']);
    assert.deepEqual([next.pending, errors, next.get_attributes('new').systemTags], [0, [], ['SystemPrompt', 'LLMWrite']]);
  });

  test('are the same again when they were sent', async () => {
    const stage = new Stage();
    const storage = new Storage();
    const { mc } = await stage.client({ storage });
    stage.server.enqueue = () => {};
    const first = sent(stage.sockets[0]);
    mc.set_value('new', 'x');
    await stage.world.run(3_000);
    mc.disconnect();
    stage.server.person('new', 'theirs');
    const next = createCloudMindCache(stage.config({ storage }));
    await until(stage, () => stage.sockets.length > 0);
    const again = sent(stage.sockets[0]);
    await stage.world.run(3_000);
    assert.deepEqual([again, next.get('new')], [first, 'x']);
  });
});

describe('flush', () => {
  test('waits for an edit that takes in later ones, until it is done', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.network.turn(false);
    await stage.world.run(60_000);
    mc.set_value('k', 1);
    let isDone = false;
    mc.flush().then(() => { isDone = true; });
    mc.set_value('k', 2);
    await tick();
    assert.equal(isDone, false);
    stage.network.turn(true);
    await stage.world.run(60_000);
    await tick();
    assert.deepEqual([isDone, mc.pending], [true, 0]);
  });

  test('waits for what an earlier start said, and for what was said before that was here', async () => {
    const stage = new Stage();
    const storage = new Storage();
    const { mc } = await stage.client({ storage });
    stage.network.turn(false);
    mc.set_value('old', 1);
    await stage.world.run(3_000);
    mc.disconnect();
    const slow = { load: async part => storage.load(part), save: async () => {} };
    const next = createCloudMindCache(stage.config({ storage: slow }));
    next.onError(() => {});
    next.set_value('k', 1);
    let isDone = false;
    next.flush().then(() => { isDone = true; });
    await tick();
    await stage.world.run(3_000);
    await tick();
    assert.deepEqual([isDone, next.pending], [false, 2]);
    stage.network.turn(true);
    await stage.world.run(60_000);
    await tick();
    assert.deepEqual([isDone, next.pending, stage.server.keys.size], [true, 0, 2]);
  });

  test('waits for an edit that is put off, and taken in by another one', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.server.overload = 1;
    mc.set_value('k', 1);
    let isDone = false;
    mc.flush().then(() => { isDone = true; });
    await stage.world.run(300);
    mc.addTag('k', 't');
    await tick();
    assert.deepEqual([isDone, stage.server.keys.size], [false, 0]);
    stage.server.overload = 0;
    await stage.world.run(5_000);
    await tick();
    assert.deepEqual([isDone, mc.pending, stage.server.keys.get('k').attributes.contentTags], [true, 0, ['t']]);
  });
});

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
