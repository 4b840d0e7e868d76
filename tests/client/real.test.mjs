// Two clients and a real server: both ways, killed and started again, offline, large, and refused.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { MindCache } from 'mindcache';
import { connectCloud, createCloudMindCache } from 'mindcache/cloud';
import { fileStorage } from 'mindcache/node';
import { Server, until } from './server.mjs';

let server;
const open = new Set();

before(async () => { server = await Server.start(); });
after(() => server?.remove());
afterEach(() => {
  for (const mc of open) mc.disconnect();
  open.clear();
});

/** An instance of its own for each test, and a key for it. */
async function instance(...flags) {
  const name = `i${randomBytes(4).toString('hex')}`;
  await server.person('instance', 'create', name);
  const key = await server.person('key', 'create', name, '--scope', `instance:${name}`, ...flags);
  return { name, key };
}

function client({ name, key }, more = {}) {
  const mc = createCloudMindCache({ instanceId: name, apiKey: key, baseUrl: server.url, ...more });
  open.add(mc);
  mc.errors = [];
  mc.onError(error => mc.errors.push(error.code));
  return mc;
}

const everything = mc => mc.keys().filter(key => !key.startsWith('$')).map(key => [key, mc.get_value(key), mc.get_attributes(key)]);

describe('two clients', () => {
  test('see each other\'s keys, with attributes and tags, also after they connect anew', async () => {
    const where = await instance();
    const [one, other] = [client(where), client(where)];
    await Promise.all([one.waitForSync(), other.waitForSync()]);
    one.set_value('text', 'héllo 😀', { tags: ['a', 'b'], zIndex: 3 });
    one.set_value('json', { list: [1, null, 'x'] }, { type: 'json', readonly: true });
    one.set_value('number', 5);
    one.add_image('image', 'QUJD', 'image/png', { visible: false });
    one.set_value('cafe\u0301', 'decomposed');
    one.set_value('template', '{{text}}!', { template: true });
    other.set_value('other', 'from the other');
    await Promise.all([one.flush(), other.flush()]);
    await until(other, 'the keys of one', () => other.size() === 9);
    await until(one, 'the key of the other', () => one.has('other'));
    assert.deepEqual(everything(one), everything(other));
    assert.equal(other.get_value('template'), 'héllo 😀!');
    other.addTag('text', 'c');
    other.set_attributes('json', { visible: false });
    other.delete('number');
    await other.flush();
    await until(one, 'the deletion', () => !one.has('number') && one.hasTag('text', 'c'));
    const late = client(where);
    await late.waitForSync();
    assert.deepEqual(everything(late), everything(one));
    assert.deepEqual([late.getTags('text'), late.get_attributes('json').visible, late.get_data_url('image')], [['a', 'b', 'c'], false, 'data:image/png;base64,QUJD']);
    assert.deepEqual([one.errors, other.errors], [[], []]);
  });

  test('hear an agent\'s and a person\'s writes', async () => {
    const where = await instance();
    const mc = client(where);
    await mc.waitForSync();
    const heard = new Promise(resolve => mc.subscribe('notes', resolve));
    await server.person('-i', where.name, 'set', 'notes', 'by a person');
    assert.equal(await heard, 'by a person');
    await server.person('-i', where.name, 'rm', 'notes');
    await until(mc, 'the deletion', () => !mc.has('notes'));
  });

  test('make 1,000 keys each, and end up with the same', async () => {
    const where = await instance();
    const [one, other] = [client(where), client(where)];
    for (let number = 0; number < 1_000; number += 1) {
      one.set_value(`one ${number}`, number);
      other.set_value(`other ${number}`, `${number}`);
      one.set_value('shared', `one ${number}`);
      other.set_value('shared', `other ${number}`);
    }
    await Promise.all([one.flush(), other.flush()]);
    await until(one, 'all keys', () => one.size() === 2_003);
    await until(other, 'all keys', () => other.size() === 2_003);
    await until(one, 'the same', () => one.get('shared') === other.get('shared'));
    assert.deepEqual(everything(one), everything(other));
  });

  test('give way to each other where a version is named', async () => {
    const where = await instance();
    const [one, other] = [client(where), client(where)];
    one.set_value('k', 'first');
    await one.flush();
    await until(other, 'the key', () => other.getVersion('k') > 0);
    const conflicts = [];
    other.onConflict(conflict => conflicts.push(conflict));
    const ifVersion = other.getVersion('k');
    one.set_value('k', 'one');
    await one.flush();
    other.set_value('k', 'other', {}, { ifVersion });
    await other.flush();
    await until(other, 'what one wrote', () => other.get('k') === 'one');
    assert.deepEqual(conflicts.map(({ mine, theirs, kept }) => [mine, theirs, kept]), [['other', 'one', 'theirs']]);
  });
});

describe('a server that is killed', () => {
  test('has what it acknowledged, and gets the rest when it is back', async () => {
    const where = await instance();
    const [one, other] = [client(where), client(where)];
    await Promise.all([one.waitForSync(), other.waitForSync()]);
    for (let round = 0; round < 3; round += 1) {
      for (let number = 0; number < 50; number += 1) one.set_value(`k${number}`, `${round} ${number}`);
      await one.flush();
      // Only what was seen can be deleted.
      await until(other, 'what one wrote', () => other.get('k49') === `${round} 49`);
      other.set_value('on its way', round);
      await server.kill();
      one.set_value('offline', round);
      for (let number = 0; number < 20; number += 1) other.set_value(`mine ${number}`, `${round} ${number}`);
      other.delete('k49');
      await server.start();
      await Promise.all([one.flush(), other.flush()]);
      await until(other, 'the key of one', () => other.get('offline') === round && other.get('k48') === `${round} 48`);
      await until(one, 'the keys of the other', () => one.get('mine 19') === `${round} 19` && !one.has('k49'));
      assert.deepEqual(everything(one), everything(other));
    }
    assert.equal(await server.person('-i', where.name, 'get', 'mine 19'), '2 19');
  });
});

describe('a program that is killed', () => {
  test('goes on with what its file has', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'mindcache-js-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const where = await instance();
    const storage = () => fileStorage(join(folder, 'state', 'one'));
    const first = client(where, { storage: storage() });
    first.set_value('seen', 1);
    await first.flush();
    await server.kill();
    first.set_value('offline', { a: 1 }, { tags: ['t'] });
    first.disconnect();
    const next = client(where, { storage: storage() });
    assert.deepEqual([next.get('seen'), next.get('offline'), next.pending, next.isLoaded], [1, { a: 1 }, 1, false]);
    await server.start();
    await next.flush();
    assert.deepEqual([JSON.parse(await server.person('-i', where.name, 'get', 'offline')), next.getTags('offline')], [{ a: 1 }, ['t']]);
  });
});

describe('large values', () => {
  test('of 5 MB, an image and a text, go both ways', async () => {
    const where = await instance();
    const [one, other] = [client(where), client(where)];
    const image = randomBytes(5_000_000).toString('base64');
    const text = 'é😀x'.repeat(400_000);
    one.add_image('image', image, 'image/png');
    one.set_base64('file', image, 'application/zip');
    one.set_value('text', text);
    one.set_value('json', { text: 'y'.repeat(100_000) });
    await one.flush();
    await until(other, 'the large values', () => ['image', 'file', 'text', 'json'].every(key => other.get(key) !== undefined), 60);
    assert.ok(other.get('image') === image && other.get('file') === image && other.get('text') === text);
    assert.deepEqual(other.get('json'), one.get('json'));
    other.addTag('image', 't');
    await other.flush();
    await until(one, 'the tag', () => one.hasTag('image', 't'));
    assert.ok(one.get('image') === image);
    one.set_value('too large', 'x'.repeat(26 * 1024 * 1024));
    await one.flush();
    assert.deepEqual([one.has('too large'), one.errors], [false, ['too_large']]);
  });
});

describe('access', () => {
  test('a wrong key is refused, and said so', async () => {
    const { name } = await instance();
    const mc = client({ name, key: 'mc_live_wrongwrongwrong' });
    await until(mc, 'the refusal', () => mc.connectionState === 'error');
    assert.deepEqual(mc.errors, ['refused']);
    await assert.rejects(Promise.all([mc.waitForSync(), mc.disconnect()]), /disconnected/);
  });

  test('who may only read has its edits taken back', async () => {
    const where = await instance('--permission', 'read');
    await server.person('-i', where.name, 'set', 'k', 'theirs');
    await server.person('-i', where.name, 'attr', 'k', '--system-tags', 'SystemPrompt,LLMRead,LLMWrite');
    const mc = client(where);
    await mc.waitForSync();
    mc.set_value('k', 'mine');
    mc.set_value('new', 'mine');
    await mc.flush();
    assert.deepEqual([mc.get('k'), mc.has('new'), mc.errors], ['theirs', false, ['NO_PERMISSION', 'NO_PERMISSION']]);
  });

  test('an agent makes keys as agents do', async () => {
    const where = await instance('--agent');
    const mc = client(where);
    await mc.waitForSync();
    mc.set_value('k', 'mine', { tags: ['t'] });
    await mc.flush();
    assert.deepEqual([mc.get('k'), mc.get_attributes('k').systemTags, mc.getTags('k'), mc.errors], ['mine', ['LLMRead', 'LLMWrite'], ['t'], []]);
  });

  test('migration: keys that were there go where the server has none', async () => {
    const where = await instance();
    await server.person('-i', where.name, 'set', 'both', 'theirs');
    const mc = new MindCache();
    mc.set_value('both', 'mine');
    mc.set_value('mine', 'mine');
    const conflicts = [];
    const link = connectCloud(mc, { instanceId: where.name, apiKey: where.key, baseUrl: server.url });
    open.add(mc);
    link.onConflict(conflict => conflicts.push(conflict.theirs));
    await mc.waitForSync();
    await mc.flush();
    assert.deepEqual([mc.get('both'), conflicts, await server.person('-i', where.name, 'get', 'mine')], ['theirs', ['theirs'], 'mine']);
    const { matches } = await link.call('search_keys', { query: 'mine' });
    assert.equal(matches[0].key, 'mine');
    await assert.rejects(link.call('no_such_operation'), error => typeof error.code === 'string');
    assert.ok((await new Promise(resolve => link.onPresence(resolve))).some(({ client: name }) => name === 'mindcache-js'));
  });
});
