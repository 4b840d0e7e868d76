// The JavaScript client in a browser: on the page of another server of this machine, as an application has it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { withStore } from './basics.mjs';
import { silent, until } from './browser.mjs';
import { kill } from './store.mjs';

/** An application on a port of its own: it keeps the key, and hands out tokens and its copy of the client. */
async function application(store, server) {
  const folder = join(store.data, 'client');
  await store.cli('client', '--out', folder);
  const page = `<!doctype html><title>application</title><link rel="icon" href="data:,"><script type="module">
    const from = new URLSearchParams(location.search).get('from') ?? '/client';
    const { createCloudMindCache } = await import(from + '/cloud.js');
    const mc = createCloudMindCache({ instanceId: 'default', baseUrl: '${server.url}', tokenEndpoint: '/token' });
    mc.onError(() => {});
    window.mc = mc;
  </script>`;
  const token = async () => (await fetch(`${server.url}/api/ws-token`, {
    method: 'POST', body: JSON.stringify({ instanceId: 'default' }),
    headers: { Authorization: `Bearer ${store.token()}`, 'Content-Type': 'application/json' },
  })).text();
  const answer = async path => {
    if (path === '/') return ['text/html', page];
    if (path === '/token') return ['application/json', await token()];
    return ['text/javascript', readFileSync(join(folder, path.slice('/client/'.length)))];
  };
  const app = createServer((request, response) => {
    answer(new URL(request.url, 'http://app').pathname).then(([type, body]) => {
      response.setHeader('Content-Type', type);
      response.end(body);
    }, error => {
      response.statusCode = 503;
      response.end(JSON.stringify({ error: error.message }));
    });
  });
  await new Promise(resolve => app.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${app.address().port}`, end: () => app.close() };
}

/** How often each key was written, and with what it ended. */
async function written(store) {
  const { changes } = JSON.parse(await store.cli('--json', 'call', 'log_read', '{"since": 0, "limit": 1000}'));
  const times = {};
  for (const { id } of changes) times[id] = (times[id] ?? 0) + 1;
  return times;
}

const has = (page, key, value, patience) => until(page, `${key} is ${value}`, ([name, wanted]) => window.mc?.get(name) === wanted, [key, value], patience);

export const client = {
  'the client of the server runs on a page of another port, both ways': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'before', 'by hand');
    const app = await application(store, server);
    try {
      // Straight from the server: a page of this machine may load it.
      const page = await ctx.browser.open(`${app.url}/?from=${server.url}/client`);
      await has(page, 'before', 'by hand');
      const found = await page.evaluate(async () => {
        const { mc } = window;
        await mc.waitForSync();
        mc.set_value('by/page', { a: [1, 'é😀'] }, { type: 'json', tags: ['t'] });
        await mc.flush();
        return [mc.connectionState, mc.pending, mc.get_value('by/page'), mc.getTags('by/page')];
      });
      assert.deepEqual(found, ['connected', 0, { a: [1, 'é😀'] }, ['t']]);
      assert.deepEqual(JSON.parse(await store.cli('get', 'by/page')), { a: [1, 'é😀'] });
      await store.cli('set', 'before', 'by hand again');
      await has(page, 'before', 'by hand again');
      silent(page);
    } finally {
      app.end();
    }
  }),

  'its edits outlive a reload and a killed server, each done once': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    const app = await application(store, server);
    try {
      const page = await ctx.browser.open(app.url, { allowed: ['ERR_', '503', 'WebSocket connection to'] });
      await until(page, 'connected', () => window.mc?.isLoaded);
      for (let round = 0; round < 3; round++) {
        // Some are on their way when the server is killed, some are made when it is gone.
        await Promise.all([
          page.evaluate(from => {
            for (let n = 0; n < 20; n++) window.mc.set_value(`k/${from}/${n}`, `v${n}`);
          }, round),
          kill(server),
        ]);
        await until(page, 'the loss', () => window.mc.connectionState !== 'connected');
        await page.evaluate(from => {
          window.mc.set_value(`k/${from}/offline`, 'made offline');
          window.mc.set_value('last', `round ${from}`);
        }, round);
        await page.reload();
        await has(page, `k/${round}/offline`, 'made offline');
        await has(page, `k/${round}/19`, 'v19');
        const waiting = await page.evaluate(() => [window.mc.isLoaded, window.mc.pending]);
        assert(!waiting[0] && waiting[1] >= 2, `what was not acknowledged waits: ${waiting}`);
        server = await store.serve(server.address);
        await page.evaluate(() => window.mc.flush());
        assert.equal(await store.cli('get', 'last'), `round ${round}`);
      }
      const times = await written(store);
      assert.equal(times.last, 3);
      delete times.last;
      assert.equal(Object.keys(times).length, 63);
      assert.deepEqual(Object.entries(times).filter(([, count]) => count !== 1), [], 'nothing twice');
      // Another tab of the browser has its own place, and sees the same.
      const other = await page.context().newPage();
      await other.goto(app.url);
      await has(other, 'last', 'round 2');
      assert.deepEqual(await other.evaluate(() => [window.mc.pending, window.mc.get('k/0/offline')]), [0, 'made offline']);
      silent(page);
    } finally {
      app.end();
    }
  }),
};
