// What went wrong once, and holds now: against the model of a server, in virtual time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createCloudMindCache } from 'mindcache/cloud';
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
