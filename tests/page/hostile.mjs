// What is stored does nothing, and other pages of this machine get nothing.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { withStore } from './basics.mjs';
import { row, shows, silent, until } from './browser.mjs';

const SCRIPT = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="parent.hit=1"><script>parent.hit=1;fetch("/v1/i/default/keys/a")</script><image href="/health"/></svg>';

/** A page of another origin, on another port of the same machine. */
const other = body => new Promise(resolve => {
  const server = createServer((request, response) => {
    server.asked.push(request.headers);
    response.setHeader('Content-Type', 'text/html');
    response.end(body);
  });
  server.asked = [];
  server.listen(0, '127.0.0.1', () => resolve(server));
});

export const hostile = {
  'stored HTML, SVG and names that look like scripts do nothing': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const names = ['<img src=x onerror=hit=1>', '__proto__', 'javascript:hit=1', 'a\u202Etxt.exe', '"\'><svg onload=hit=1>', '{{constructor.constructor("hit=1")()}}'];
    const agent = await store.stdio('<b onclick=hit=1>x</b>');
    for (const key of names) await agent.call('write_key', { key, value: SCRIPT, tags: ['<script>hit=1</script>'] });
    await agent.call('write_key', { key: 'pic', value: Buffer.from(SVG).toString('base64'), type: 'image', content_type: 'image/svg+xml' });
    await agent.call('write_key', { key: 'page', value: Buffer.from(SCRIPT).toString('base64'), type: 'file', content_type: 'text/html' });
    const page = await ctx.browser.open(server.link);
    await page.evaluate(() => { window.hit = 0; });
    for (const key of [...names, 'pic', 'page']) {
      await page.goto(`${server.url}/#/i/default/keys?open=${encodeURIComponent(key)}`);
      await until(page, `${key} is shown`, () => document.querySelector('.detail .editor, .detail .binary'));
    }
    await page.goto(`${server.url}/#/i/default/keys?open=pic`);
    await until(page, 'the SVG is a picture', () => document.querySelector('.binary img')?.naturalWidth === 9);
    await shows(page, '[U+202E]');
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 300))));
    assert.equal(await page.evaluate(() => window.hit), 0);
    assert.equal(await page.locator('main script, main svg[onload], main [onerror], main [onclick]').count(), 0);
    silent(page);
  }),

  'a page on another port or host neither reads nor writes': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'secret', 'do not tell');
    const page = await ctx.browser.open(server.link);
    await row(page, 'secret').waitFor();
    const evil = await other('<!doctype html><title>other</title><iframe name="f"></iframe>');
    try {
      const tab = await page.context().newPage();
      for (const host of ['127.0.0.1', 'localhost']) {
        await tab.goto(`http://${host}:${evil.address().port}/`);
        const got = await tab.evaluate(async target => {
          const tries = {};
          const attempt = async (name, work) => {
            try {
              tries[name] = await work();
            } catch {
              tries[name] = 'refused';
            }
          };
          const write = { method: 'POST', body: JSON.stringify({ key: 'evil', value: '1' }) };
          const ops = `${target}/v1/i/default/ops/write_key`;
          await attempt('read', async () => (await fetch(`${target}/v1/i/default/keys/secret`, { credentials: 'include' })).text());
          await attempt('opaque', async () => (await fetch(ops, { ...write, mode: 'no-cors', credentials: 'include' })).type);
          await attempt('write', async () => (await fetch(ops, { ...write, credentials: 'include', headers: { 'Content-Type': 'application/json' } })).status);
          await attempt('named', async () => (await fetch(ops, { ...write, credentials: 'include', headers: { 'Content-Type': 'application/json', 'X-MindCache-Page': 'x' } })).status);
          await attempt('stream', () => new Promise((resolve, reject) => {
            const source = new EventSource(`${target}/v1/i/default/changes?since=0`, { withCredentials: true });
            source.onmessage = resolve;
            source.onopen = () => resolve('open');
            source.onerror = reject;
          }));
          await attempt('socket', () => new Promise((resolve, reject) => {
            const socket = new WebSocket(`${target.replace('http', 'ws')}/sync/default?v=2&changes=1`);
            socket.onopen = () => resolve('open');
            socket.onerror = reject;
          }));
          await attempt('token', async () => (await fetch(`${target}/api/ws-token`, {
            method: 'POST', credentials: 'include', body: '{"instanceId":"default"}', headers: { 'X-MindCache-Page': 'x' },
          })).status);
          await attempt('image', () => new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve('loaded');
            image.onerror = reject;
            image.src = `${target}/v1/i/default/keys/secret`;
          }));
          await attempt('framed', () => new Promise(resolve => {
            const frame = document.querySelector('iframe');
            frame.onload = () => {
              try {
                resolve(frame.contentDocument ? 'blank' : 'refused');
              } catch {
                resolve('refused');
              }
            };
            frame.src = `${target}/`;
          }));
          const form = document.createElement('form');
          Object.assign(form, { method: 'POST', action: ops, target: 'f', enctype: 'text/plain' });
          const field = document.createElement('input');
          Object.assign(field, { name: '{"key":"evil","value":"', value: '"}' });
          form.append(field);
          document.body.append(form);
          form.submit();
          return tries;
        }, server.url);
        const refused = value => ['refused', 'opaque', 401, 403, 415].includes(value) || /token|Origin/.test(value);
        for (const [name, value] of Object.entries(got)) assert(refused(value), `${host} ${name}: ${value}`);
      }
      // The cookie does reach the other port: alone it is worth nothing.
      const cookie = evil.asked.map(headers => headers.cookie).find(Boolean);
      assert.match(cookie, /^mc_\d+=/);
      const alone = await fetch(`${server.url}/v1/i/default/keys/secret`, { headers: { Cookie: cookie } });
      assert.equal(alone.status, 401);
      const names = await store.cli('ls');
      assert.equal(names.trim(), 'secret');
    } finally {
      evil.close();
    }
    silent(page);
  }),
};
