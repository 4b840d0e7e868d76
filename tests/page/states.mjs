// How the page is when something is not as it should be, and for whom it is.
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { fill, withStore } from './basics.mjs';
import { accessible, row, shows, silent, until } from './browser.mjs';
import { kill } from './store.mjs';

export const states = {
  'a revoked tab closes within a second, in any process': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'a', '1');
    const page = await ctx.browser.open(server.link, { allowed: ['401'] });
    await row(page, 'a').waitFor();
    await store.cli('call', 'sign_in_revoke', '{}');
    const took = await until(page, 'signed out', () => document.body.innerText.includes('This tab is signed out.'), null, 5000);
    assert(took < 1000, `${took} ms`);
    assert(!(await page.locator('body').innerText()).includes('keys'), 'nothing of the list stays');
    silent(page);
    return `${Math.round(took)} ms`;
  }),

  'the keyboard alone does everything': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await fill(store, Array.from({ length: 100 }, (_, n) => ({ key: `k/${String(n).padStart(3, '0')}`, value: `value ${n}` })));
    const page = await ctx.browser.open(server.link);
    await row(page, 'k/000').waitFor();
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const active = () => page.locator('.grid').evaluate(grid => document.getElementById(grid.getAttribute('aria-activedescendant'))?.dataset.key);
    await page.locator('.grid').focus();
    await press('j', 'j', 'k');
    assert.equal(await active(), 'k/000');
    await press('ArrowDown', 'End');
    await until(page, 'the last row', () => document.getElementById(document.querySelector('.grid').getAttribute('aria-activedescendant'))?.dataset.key === 'k/099');
    await press('PageUp', 'Home');
    await until(page, 'the first row', () => document.getElementById(document.querySelector('.grid').getAttribute('aria-activedescendant'))?.dataset.key === 'k/000');
    await press('ArrowDown', 'Enter');
    await until(page, 'opened', () => document.querySelector('.editor')?.value === 'value 1');
    await press('Escape');
    await until(page, 'closed', () => !document.querySelector('.editor') && document.activeElement.className === 'grid');
    await press('e');
    await until(page, 'in the editor', () => document.activeElement.className.startsWith('editor'));
    await page.keyboard.type('!');
    await press('Control+s');
    await shows(page, 'Saved');
    await press('Escape', '/');
    await page.keyboard.type('09');
    await shows(page, '11 keys');
    await press('ArrowDown');
    assert.equal(await active(), 'k/009');
    await press('x', 'Shift+ArrowDown');
    await shows(page, '2 selected');
    await press('y');
    await shows(page, 'Copied the names.');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'k/009\nk/090');
    await press('Escape', 't');
    await until(page, 'the tag field', () => document.activeElement.className === 'tag-field');
    await page.keyboard.type('by-key');
    await press('Enter');
    await until(page, 'tagged', () => [...document.querySelectorAll('.detail .chip')].some(each => each.innerText.includes('by-key')));
    await page.locator('.grid').focus();
    await press('Delete');
    await shows(page, 'Deleted k/090.');
    await press('Control+z');
    await shows(page, 'Taken back.');
    await press('?');
    await shows(page, 'Keys of the keyboard');
    await accessible(page, 'help');
    await press('Escape');
    await until(page, 'no help', () => !document.querySelector('dialog'));
    await press('n');
    await until(page, 'a new key', () => document.querySelector('dialog[open]')?.innerText.includes('New key'));
    await press('Escape');
    await until(page, 'no dialog', () => !document.querySelector('dialog'));
    silent(page);
  }),

  'several instances are there to choose from': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'here', '1');
    await store.cli('instance', 'create', 'other place');
    await store.cli('-i', 'other place', 'set', 'there', '2');
    const page = await ctx.browser.open(server.link);
    await page.getByRole('link', { name: 'other place' }).waitFor();
    await accessible(page, 'instances');
    await page.getByRole('link', { name: 'other place' }).click();
    await row(page, 'there').waitFor();
    await page.locator('.instances select').selectOption('default');
    await row(page, 'here').waitFor();
    await store.cli('-i', 'other place', 'set', 'unseen', '3');
    await page.goBack();
    await row(page, 'unseen').waitFor();
    silent(page);
  }),

  'who was away for long is told how far behind it is, and catches up': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    await fill(store, [{ key: 'k/0000', value: 'before' }]);
    const page = await ctx.browser.open(server.link, { allowed: ['ERR_', 'WebSocket connection to'] });
    await row(page, 'k/0000').waitFor();
    await page.evaluate(() => {
      window.said = [];
      const pill = document.querySelector('.pill');
      new MutationObserver(() => window.said.push(pill.innerText)).observe(pill, { subtree: true, childList: true, characterData: true });
    });
    await kill(server);
    await shows(page, 'Connection lost.');
    await fill(store, Array.from({ length: 4000 }, (_, n) => ({ key: `k/${String(n).padStart(4, '0')}`, value: `away ${n}` })));
    server = await store.serve(server.address);
    await shows(page, '4,000 keys', 20_000);
    await shows(page, 'away 0');
    const said = await page.evaluate(() => window.said);
    assert(said.some(text => /^Catching up: [\d,]{3,5} changes$/.test(text)), `it said ${said}`);
    await until(page, 'live', () => document.querySelector('.pill').innerText === 'Live');
    silent(page);
  }),

  'bug: after an older state was put back, changes were taken for known ones': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    const page = await ctx.browser.open(server.link, { allowed: ['ERR_', 'WebSocket connection to'] });
    await shows(page, 'Nothing here yet.');
    await store.cli('set', 'a', '1');
    await row(page, 'a').waitFor();
    await kill(server);
    const copy = `${store.data}-copy`;
    cpSync(store.data, copy, { recursive: true });
    try {
      server = await store.serve(server.address);
      for (const key of ['b', 'c', 'd']) await store.cli('set', key, '1');
      await row(page, 'd').waitFor();
      await kill(server);
      rmSync(store.data, { recursive: true });
      cpSync(copy, store.data, { recursive: true });
      server = await store.serve(server.address);
      await row(page, 'd').waitFor({ state: 'detached' });
      await shows(page, '1 key');
      // Its seq is one that the page had seen.
      await store.cli('set', 'e', '1');
      await row(page, 'e').waitFor();
      await store.cli('rm', 'a');
      await row(page, 'a').waitFor({ state: 'detached' });
      silent(page);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }),

  'an instance that is deleted is said to be gone': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'here', '1');
    await store.cli('instance', 'create', 'short-lived');
    await store.cli('-i', 'short-lived', 'set', 'k', '1');
    const page = await ctx.browser.open(server.link, { allowed: ['403', '404'] });
    await page.getByRole('link', { name: 'short-lived' }).click();
    await row(page, 'k').waitFor();
    await store.cli('instance', 'delete', 'short-lived');
    await shows(page, 'There is no such instance.');
    await accessible(page, 'gone');
    silent(page);
  }),

  'who was updated is told to reload': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    await store.cli('set', 'a', '1');
    const page = await ctx.browser.open(server.link, { allowed: ['ERR_', 'WebSocket connection to'] });
    await row(page, 'a').waitFor();
    // As another version would answer.
    await page.route('**/api/page', route => route.fulfill({ json: { version: '9', page: 'another', sign_in: true } }));
    await kill(server);
    await shows(page, 'Connection lost.');
    server = await store.serve(server.address);
    await shows(page, 'mindcache was updated.', 20_000);
    await accessible(page, 'updated');
    silent(page);
  }),
};
