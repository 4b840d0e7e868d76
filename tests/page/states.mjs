// How the page is when something is not as it should be, and for whom it is.
import assert from 'node:assert/strict';
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
    await until(page, 'a new key', () => document.querySelector('dialog')?.innerText.includes('New key'));
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

  'who was updated is told to reload': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    await store.cli('set', 'a', '1');
    const page = await ctx.browser.open(server.link, { allowed: ['ERR_'] });
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
