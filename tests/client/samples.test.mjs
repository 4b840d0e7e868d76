// The samples of the specification and of the package's README, run as they stand against a real server.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { Server } from './server.mjs';

const here = new URL('.', import.meta.url);
let server;
let key;
let instance;

before(async () => {
  server = await Server.start();
  await server.person('project', 'create', 'my-project');
  instance = JSON.parse(await server.person('call', 'instance_create', '{"name":"main","project":"my-project"}')).id;
  await server.person('instance', 'create', 'team');
  key = await server.person('key', 'create', 'app', '--permission', 'read,write');
  process.env.MINDCACHE_BASE_URL = server.url;
  process.env.MINDCACHE_API_KEY = key;
});

after(() => server?.remove());

/** Runs a program with these ids in it; answers with what it `exports`. */
async function run(name, code, exports) {
  const file = new URL(`ran-${name}`, here);
  const filled = code.replaceAll('mc_live_xxxxx', key).replaceAll('my-instance-id', instance);
  writeFileSync(file, `${filled}\nexport { ${exports} };\n`);
  return import(file);
}

const sample = (name, exports) => run(name, readFileSync(new URL(`samples/${name}`, here), 'utf8'), exports);

const stored = async () => JSON.parse(await server.person('-i', instance, 'get', 'name', '--json'));

/** The console is quiet meanwhile, and what would be said comes back. */
async function saying(t, act) {
  const said = [];
  t.mock.method(console, 'log', line => said.push(line));
  return [await act(), said];
}

describe('the specification', () => {
  test('1.0 behavior', async () => {
    const { mc } = await sample('local.ts', 'mc');
    assert.deepEqual([mc.get_value('name'), mc.isCloud], ['Alice', false]);
  });

  test('local mode', async t => {
    const [{ mc }, said] = await saying(t, () => sample('local-mode.ts', 'mc'));
    mc.set_value('name', 'Bob');
    assert.deepEqual(said, ['changed!']);
  });

  for (const [name, exports] of [['connect.ts', 'mc, tools, prompt'], ['factory.ts', 'mc, tools, prompt'], ['migrating.ts', 'mc, tools']]) {
    test(name, async () => {
      const { mc, tools, prompt } = await sample(name, exports);
      assert.deepEqual(Object.keys(tools), ['write_name']);
      if (prompt) assert.match(prompt, /^name: Alice\. You can rewrite "name" by using the write_name tool\./);
      await mc.flush();
      const { value, system_tags: tags } = await stored();
      assert.deepEqual([value, tags, mc.connectionState, mc.isLoaded], ['Alice', ['SystemPrompt', 'LLMWrite'], 'connected', true]);
      await tools.write_name.execute({ value: `by ${name}` });
      await mc.flush();
      assert.equal((await stored()).value, `by ${name}`);
      await server.person('-i', instance, 'rm', 'name');
      mc.disconnect();
    });
  }

  test('importing what was local', async () => {
    const { cloudMc } = await sample('importing.ts', 'cloudMc');
    await cloudMc.flush();
    const { value, tags } = await stored();
    assert.deepEqual([value, tags], ['Alice', ['people']]);
    cloudMc.disconnect();
  });

  test('cloud mode, with an endpoint of the program that keeps the key', async t => {
    const asked = [];
    // What such an endpoint does: it has the key, and answers with a token for one connection.
    const app = createServer(async (request, response) => {
      asked.push(request.url);
      const body = JSON.stringify({ instanceId: new URL(request.url, server.url).searchParams.get('instanceId') });
      const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
      const answer = await fetch(`${server.url}/api/ws-token`, { method: 'POST', headers, body });
      response.end(JSON.stringify({ token: (await answer.json()).token }));
    });
    await new Promise(resolve => app.listen(0, '127.0.0.1', resolve));
    t.after(() => app.close());
    const code = readFileSync(new URL('samples/cloud-mode.ts', here), 'utf8');
    const endpoint = `http://127.0.0.1:${app.address().port}/api/ws-token`;
    const [{ mc }, said] = await saying(t, () => run('endpoint.ts', code.replace('/api/ws-token', endpoint), 'mc'));
    assert.deepEqual(said.slice(0, 3), ['connecting', false, true]);
    await mc.waitForSync();
    assert.deepEqual([mc.connectionState, mc.isLoaded, mc.get_value('name'), said.includes('synced!')], ['connected', true, 'Alice', true]);
    assert.deepEqual(asked, [`/api/ws-token?instanceId=${instance}`]);
    mc.disconnect();
  });

  test('cloud mode, as it stands, where nobody has to prove anything', async t => {
    const open = await Server.start('--no-auth');
    t.after(() => open.remove());
    const id = JSON.parse(await open.person('instance', 'create', 'main', '--json')).id;
    process.env.MINDCACHE_BASE_URL = open.url;
    t.after(() => { process.env.MINDCACHE_BASE_URL = server.url; });
    const code = readFileSync(new URL('samples/cloud-mode.ts', here), 'utf8');
    const [{ mc }] = await saying(t, () => run('open.ts', code.replace('my-instance-id', id), 'mc'));
    await mc.waitForSync();
    mc.set_value('name', 'Alice');
    await mc.flush();
    assert.equal(await open.person('-i', id, 'get', 'name'), 'Alice');
    mc.disconnect();
  });
});

describe('the README', () => {
  const readme = readFileSync(new URL('node_modules/mindcache/README.md', here), 'utf8');
  const blocks = [...readme.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);

  test('alone', async t => {
    const [{ tools }, said] = await saying(t, () => run('readme-1.mjs', blocks[0], 'tools'));
    assert.deepEqual([said[0], Object.keys(tools)], ['Hello Alice', ['write_greeting', 'write_name']]);
  });

  test('with a server', async t => {
    const [{ mc }, said] = await saying(t, () => run('readme-2.mjs', blocks[1], 'mc'));
    assert.deepEqual([said, mc.connectionState, await server.person('-i', 'team', 'get', 'plan')], [['now: Ask Mira.'].map(() => 'now:'), 'disconnected', 'Ask Mira.']);
  });
});
