// Getting in, watching, finding.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { accessible, row, shows, silent, until } from './browser.mjs';
import { Store } from './store.mjs';

export async function withStore({ binary }, work) {
  const store = new Store(binary);
  try {
    return await work(store);
  } finally {
    store.end();
  }
}

const lit = (page, key, who) => until(page, `${key} by ${who} is lit`, ([name, writer]) => {
  const found = document.querySelector(`.row[data-key=${JSON.stringify(name)}]`);
  return found && /lit-/.test(found.className) && found.innerText.includes(writer);
}, [key, who], 5000);

export const basics = {
  'the link signs in once, and the first key appears': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const page = await ctx.browser.open(server.link);
    await shows(page, 'Nothing here yet.');
    assert.equal(new URL(page.url()).hash, '#/i/default/keys', 'the code is out of the address');
    await accessible(page, 'first run');
    await page.getByRole('button', { name: 'Write the first key' }).click();
    await accessible(page, 'new key');
    await page.getByLabel('Name', { exact: true }).fill('notes/first');
    await page.getByLabel('Value').fill('hello');
    await page.getByRole('button', { name: 'Create' }).click();
    await row(page, 'notes/first').waitFor();
    assert.equal(await store.cli('get', 'notes/first'), 'hello');
    silent(page);
    const again = await ctx.browser.open(server.link, { allowed: ['401'] });
    await shows(again, 'This tab is signed out.');
    await accessible(again, 'signed out');
    // The tab stays signed in when it is loaded again, and another tab of the same browser with it.
    await page.reload();
    await row(page, 'notes/first').waitFor();
    silent(page);
  }),

  'every writer is seen within a second, in any process': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'a/plan', 'by hand');
    const page = await ctx.browser.open(server.link);
    await row(page, 'a/plan').waitFor();
    const [stdio, http] = await Promise.all([store.stdio('claude-code'), store.http(server, 'codex')]);
    const took = {};
    const write = async (who, name, deed) => {
      const shown = lit(page, 'a/plan', name).then(() => performance.now());
      await deed();
      const done = performance.now();
      took[who] = Math.max(0, Math.round((await shown) - done));
      await shows(page, 'wrote');
    };
    await write('stdio', 'claude-code', () => stdio.call('write_key', { key: 'a/plan', value: 'by an agent' }));
    await write('http', 'codex', () => http.call('write_key', { key: 'a/plan', value: 'by another agent' }));
    await write('cli', 'you', () => store.cli('set', 'a/plan', 'by hand again'));
    for (const [who, ms] of Object.entries(took)) assert(ms < 1000, `${who} took ${ms} ms`);
    await shows(page, 'by hand again');
    // The last change in words, also of what is deleted.
    await http.call('delete_key', { key: 'a/plan' });
    await until(page, 'the deletion in words', () => /codex\s*deleted\s*a\/plan/.test(document.querySelector('.under').innerText));
    await shows(page, 'Nothing here yet.');
    silent(page);
    return JSON.stringify(took);
  }),

  'keys are found by name, writer, type and tag, and in the order of change': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const agent = await store.stdio('claude-code');
    for (let n = 0; n < 40; n++) await agent.call('write_key', { key: `n/${String(n).padStart(2, '0')}`, value: `v${n}`, tags: n % 10 ? [] : ['ten'] });
    await store.cli('set', '--type', 'json', 'data', '{"n": 1}');
    const page = await ctx.browser.open(server.link);
    const names = () => page.locator('.row b').allInnerTexts();
    await shows(page, '41 keys');
    await page.keyboard.press('Tab');
    await page.getByLabel('Filter keys').pressSequentially('N/1');
    await shows(page, '10 keys');
    assert.deepEqual((await names()).slice(0, 2), ['10', '11']);
    await page.getByLabel('Filter keys').fill('zzz');
    await shows(page, 'Nothing has “zzz” in its name.');
    await accessible(page, 'no match');
    // Enter looks into the values.
    await page.getByLabel('Filter keys').fill('v17');
    await shows(page, 'Enter searches the values');
    await page.getByLabel('Filter keys').press('Enter');
    await shows(page, '1 key with it in the value.');
    await accessible(page, 'found in values');
    await page.getByRole('button', { name: 'n/17' }).click();
    await until(page, 'the key that was found', () => document.querySelector('.editor')?.value === 'v17');
    await page.keyboard.press('Escape');
    await page.getByLabel('Filter keys').press('Escape');
    await shows(page, '41 keys');
    for (const [name, count, text] of [['ten', 4, '4 keys'], ['you', 1, '1 key'], ['JSON', 1, '1 key']]) {
      await page.locator('.facet', { hasText: name }).click();
      await shows(page, text);
      assert.equal((await names()).length, count);
      await page.locator('.facet', { hasText: name }).click();
      await shows(page, '41 keys');
    }
    // Filters are in the address: a reload keeps them, Back takes them away.
    await page.locator('.facet', { hasText: 'ten' }).click();
    await shows(page, '4 keys');
    await page.reload();
    await shows(page, '4 keys');
    await page.goBack();
    await shows(page, '41 keys');
    await page.locator('.tools .order').click();
    await until(page, 'the last change first', () => document.querySelector('.row b')?.innerText === 'data');
    await agent.call('write_key', { key: 'n/05', value: 'again' });
    await until(page, 'the new one first', () => document.querySelector('.row b')?.innerText === '05');
    // Under the pointer it holds still and says so.
    await page.mouse.move(600, 400);
    await agent.call('write_key', { key: 'n/06', value: 'again' });
    await shows(page, '1 newer change');
    assert.equal((await names())[0], '05');
    await page.getByRole('button', { name: '1 newer change' }).click();
    await until(page, 'the newer one first', () => document.querySelector('.row b')?.innerText === '06');
    silent(page);
  }),

  'rows stand still when others come and go above them': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const keys = Array.from({ length: 400 }, (_, n) => ({ key: `k/${String(n * 10).padStart(4, '0')}`, value: 'x' }));
    await fill(store, keys);
    const page = await ctx.browser.open(server.link);
    await shows(page, '400 keys');
    await page.locator('.grid').evaluate(grid => grid.scrollTo(0, 200 * 36));
    await row(page, 'k/2050').waitFor();
    const place = () => row(page, 'k/2050').evaluate(each => Math.round(each.getBoundingClientRect().top));
    const before = await place();
    const agent = await store.stdio('codex');
    for (const n of [1, 2, 3]) await agent.call('write_key', { key: `k/000${n}`, value: 'new' });
    await shows(page, '403 keys');
    assert.equal(await place(), before, 'keys that came above');
    await agent.call('delete_key', { key: 'k/0001' });
    await agent.call('delete_key', { key: 'k/0010' });
    await shows(page, '401 keys');
    assert.equal(await place(), before, 'keys that went above');
    await agent.call('write_key', { key: 'k/9999', value: 'new' });
    await shows(page, '402 keys');
    assert.equal(await place(), before, 'a key that came below');
    // What is shown is what the server has, in order.
    const shown = await page.locator('.row').evaluateAll(rows => rows.map(each => each.dataset.key));
    const inOrder = [...shown].sort();
    assert.deepEqual(shown, inOrder);
    await page.locator('.grid').evaluate(grid => grid.scrollTo(0, 0));
    await row(page, 'k/0002').waitFor();
    silent(page);
  }),
};

/** Makes many keys at once, as an import does. */
export async function fill(store, keys) {
  const file = `${store.data}-keys.json`;
  const common = { type: 'text', system_tags: ['LLMRead', 'LLMWrite'], z_index: 0 };
  const archive = { format: 'mindcache', format_version: 1, as_of_seq: 1, keys: keys.map(each => ({ ...common, ...each })), count: keys.length };
  writeFileSync(file, JSON.stringify(archive));
  await store.cli('import', file);
  rmSync(file);
}
