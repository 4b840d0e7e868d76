// Edits that wait, are put off, restored or overtaken: what becomes of them, against the model of a server.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createCloudMindCache } from 'mindcache/cloud';
import { sent, Stage, tick, until } from './stage.mjs';
import { Storage } from './world.mjs';

const LARGE = 'x'.repeat(1_000);

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

describe('an edit with a condition', () => {
  /** Of a client whose server could not take it at first. */
  async function putOff() {
    const stage = new Stage();
    stage.server.person('k', 'v1');
    const { mc, conflicts } = await stage.client();
    stage.server.overload = 1;
    mc.set_value('k', 'mine', {}, { ifVersion: mc.getVersion('k') });
    await stage.world.run(300);
    stage.server.overload = 0;
    return { stage, mc, conflicts };
  }

  test('that was put off keeps it when a later one of its key comes', async () => {
    const { stage, mc, conflicts } = await putOff();
    stage.server.person('k', 'theirs');
    mc.addTag('k', 't');
    await stage.world.run(5_000);
    const { value, attributes } = stage.server.keys.get('k');
    assert.deepEqual([value, attributes.contentTags, conflicts.map(({ kept }) => kept), mc.pending], ['theirs', ['t'], ['theirs'], 0]);
  });

  test('that is not met goes before the later one', async () => {
    const { stage, mc, conflicts } = await putOff();
    mc.addTag('k', 't');
    await stage.world.run(5_000);
    const { value, attributes } = stage.server.keys.get('k');
    assert.deepEqual([value, attributes.contentTags, conflicts, mc.pending], ['mine', ['t'], [], 0]);
  });
});

describe('an edit that was put off', () => {
  test('does not come back after a later one that was done', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    const { enqueue } = stage.server;
    stage.server.enqueue = (from, message) => {
      if (message.ifVersion === undefined) enqueue.call(stage.server, from, message);
      else from.tell({ type: 'error', code: 'overloaded', error: 'not now', opId: message.opId });
    };
    const messages = sent(stage.sockets[0]);
    mc.set_value('k', 'first', {}, { ifVersion: 0 });
    mc.set_value('k', 'second');
    await stage.world.run(5_000);
    assert.deepEqual([messages.map(({ value }) => value), mc.get('k'), mc.pending], [['first', 'second'], 'second', 0]);
  });

  test('ends when it was to end, although only a part of it is left', async () => {
    const stage = new Stage();
    const { mc } = await stage.client();
    stage.server.overload = 1;
    mc.set_value('k', 'mine', {}, { ttlMs: 5_000 });
    await stage.world.run(300);
    const messages = sent(stage.sockets[0]);
    stage.server.overload = 0;
    mc.addTag('k', 't');
    await stage.world.run(5_000);
    assert.deepEqual(messages.filter(({ type }) => type === 'set').map(({ ttlMs }) => ttlMs), [5_000]);
  });
});

describe('a deletion that found nothing', () => {
  for (const seq of [0, undefined]) {
    test(`is done, also by a server that answers with ${seq === 0 ? 'no version at all' : 'the last one'}`, async () => {
      const stage = new Stage();
      const { mc } = await stage.client();
      const { session } = stage.sockets[0];
      const { tell } = session;
      session.tell = message => tell.call(session, message.type === 'ack' && message.changed === false ? { ...message, seq: seq ?? message.seq } : message);
      const { enqueue } = stage.server;
      let deletions = 0;
      stage.server.enqueue = (from, message) => {
        deletions += message.type === 'delete' ? 1 : 0;
        if (message.type !== 'delete' || deletions > 1) return enqueue.call(stage.server, from, message);
        return stage.world.after(100, () => {
          stage.server.person('k', undefined);
          enqueue.call(stage.server, from, message);
          stage.world.after(30, () => stage.server.person('k', 'theirs, new'));
        });
      };
      mc.set_value('k', 'mine');
      mc.delete('k');
      await stage.world.run(5_000);
      assert.deepEqual([stage.server.keys.get('k')?.value, mc.get('k'), mc.pending], ['theirs, new', 'theirs, new', 0]);
    });
  }
});

describe('answers that overtake each other', () => {
  /** Takes edits in, and gives their answers when and as it is told. */
  async function silent() {
    const stage = new Stage();
    stage.server.person('k', 'old');
    const { mc, errors } = await stage.client();
    const asked = [];
    const { session } = stage.sockets[0];
    stage.server.enqueue = (_, message) => asked.push(message);
    const said = async (...edits) => {
      for (const edit of edits) edit(mc);
      await stage.world.run(200);
    };
    const answer = async (index, more) => {
      const { opId, key, op } = asked[index];
      session.tell({ type: op ? 'result' : 'ack', opId, key, changed: true, ...(op ? { result: { key, ...more } } : more) });
      await stage.world.run(200);
    };
    const refuse = async index => {
      session.tell({ type: 'error', code: 'overloaded', error: 'not now', opId: asked[index].opId });
      await stage.world.run(5_000);
    };
    return { mc, errors, asked, said, answer, refuse };
  }

  test('leave nothing to be done of a key that is deleted after them', async () => {
    const { mc, errors, asked, said, answer, refuse } = await silent();
    await said(one => one.set_value('k', 'mine', { tags: ['t'], zIndex: 3 }), one => one.set_value('k', 'later', { zIndex: 4 }), one => one.delete('k'));
    await answer(1, { version: 2, seq: 2 });
    await refuse(0);
    await answer(2, { version: 3, seq: 3 });
    assert.deepEqual([asked.length, mc.pending, mc.has('k'), errors], [3, 0, false, []]);
  });

  test('never let an earlier value go after a later one', async () => {
    const { mc, asked, said, answer, refuse } = await silent();
    await said(one => one.set_value('k', 'first'), one => one.addTag('k', 't'), one => one.set_value('k', 'second'));
    await answer(1, { version: 2 });
    await answer(2, { version: 3, seq: 3 });
    await refuse(0);
    assert.deepEqual([asked.length, mc.pending, mc.get('k')], [3, 0, 'second']);
  });

  test('let nothing go again after a later one that is done, when the connection is lost or the program starts anew', async () => {
    for (const isNew of [false, true]) {
      const stage = new Stage();
      const storage = new Storage();
      stage.server.person('k', 'old');
      const { mc } = await stage.client({ storage });
      const { enqueue } = stage.server;
      stage.server.enqueue = (from, message) => message.type === 'delete' || enqueue.call(stage.server, from, message);
      mc.delete('k');
      mc.set_value('k', 'later');
      await stage.world.run(3_000);
      stage.server.enqueue = enqueue;
      if (isNew) mc.disconnect();
      else stage.network.cut();
      const next = isNew ? (await stage.client({ storage })).mc : mc;
      await stage.world.run(10_000);
      assert.deepEqual([next.get('k'), next.pending, stage.server.keys.get('k')?.value], ['later', 0, 'later']);
    }
  });
});
