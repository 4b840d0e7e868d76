// One key: what can be done to it, and what happens when others do something to it too.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { withStore } from './basics.mjs';
import { accessible, hides, row, shows, silent, until } from './browser.mjs';
import { kill } from './store.mjs';

const editor = page => page.locator('.editor');
const history = async (store, key) => JSON.parse(await store.cli('--json', 'history', key)).versions;
const value = (store, key, wanted) => poll(async () => (await store.cli('get', key).catch(() => '')) === wanted, `${key} is ${wanted}`);

export async function poll(test, what, patience = 10_000) {
  const until = performance.now() + patience;
  while (!(await test())) {
    assert(performance.now() < until, what);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

// The smallest of pictures.
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

export const edits = {
  'a key is edited, marked, restored, deleted and brought back': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    await store.cli('set', 'notes/plan', 'one\ntwo');
    await store.cli('set', 'other', 'x');
    const page = await ctx.browser.open(server.link, { allowed: ['403 (Forbidden)'] });
    await row(page, 'notes/plan').click();
    await shows(page, 'Agents write it with write_notes_plan');
    await shows(page, 'Up to date');
    await editor(page).fill('one\ntwo\nthree');
    await shows(page, 'Not saved yet');
    await page.keyboard.press('Control+s');
    await until(page, 'saved', () => /Saved|Up to date/.test(document.querySelector('.saving').innerText));
    await value(store, 'notes/plan', 'one\ntwo\nthree');
    await shows(page, '+1 line');
    await page.getByRole('button', { name: 'Diff' }).first().click();
    await accessible(page, 'a diff');
    await page.getByRole('button', { name: 'Restore version 1' }).click();
    await value(store, 'notes/plan', 'one\ntwo');
    await until(page, 'the restored text', () => document.querySelector('.editor')?.value === 'one\ntwo');
    await page.getByLabel('Protected from deletion').check();
    await poll(async () => (await store.cli('--json', 'attr', 'notes/plan')).includes('"protected"'), 'protected');
    await page.getByLabel('Agents may write it').uncheck();
    await shows(page, 'Agents read it with read_notes_plan');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByLabel('New tag').fill('week');
    await page.keyboard.press('Enter');
    await until(page, 'the tag is counted', () => [...document.querySelectorAll('.facet')].some(each => each.innerText.includes('week')));
    await page.getByRole('button', { name: 'Delete this key' }).click();
    await shows(page, 'protected');
    await page.getByLabel('Protected from deletion').uncheck();
    await poll(async () => !(await store.cli('--json', 'attr', 'notes/plan')).includes('"protected"'), 'not protected');
    await page.getByRole('button', { name: 'Delete this key' }).click();
    await shows(page, 'Deleted notes/plan.');
    await page.getByRole('button', { name: 'Undo' }).click();
    await shows(page, 'Back: notes/plan.');
    await value(store, 'notes/plan', 'one\ntwo');
    // Undo by the keyboard takes back the last change of this tab.
    await row(page, 'other').click();
    await until(page, 'the other key', () => document.querySelector('.editor')?.value === 'x');
    await editor(page).fill('y');
    await page.keyboard.press('Control+s');
    await value(store, 'other', 'y');
    await page.locator('.grid').focus();
    await page.keyboard.press('Control+z');
    await value(store, 'other', 'x');
    silent(page);
  }),

  'JSON is checked in place and numbers keep their digits': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const exact = '{\n  "n": 1.00000000000000000001,\n  "big": 12345678901234567890\n}';
    await store.cli('set', '--type', 'json', 'data', exact);
    const page = await ctx.browser.open(server.link);
    await row(page, 'data').click();
    await until(page, 'the text', text => document.querySelector('.editor')?.value === text, exact);
    await editor(page).fill('{\n  "n": 1,\n  oops\n}');
    await shows(page, 'Not valid JSON: line 3, column 3');
    assert(await page.getByRole('button', { name: /^Save/ }).isDisabled());
    const mended = exact.replace('"big"', '"more"');
    await editor(page).fill(mended);
    await page.keyboard.press('Control+s');
    await value(store, 'data', mended);
    silent(page);
  }),

  'a conflict is shown side by side and nothing is overwritten': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const agent = await store.stdio('claude-code');
    await store.cli('set', 'k', 'the first text');
    const page = await ctx.browser.open(server.link);
    await row(page, 'k').click();
    const conflict = async (mine, theirs) => {
      await until(page, 'editable', () => document.querySelector('.editor')?.readOnly === false);
      await editor(page).fill(mine);
      await agent.call('write_key', { key: 'k', value: theirs });
      await shows(page, 'claude-code changed this key while you were editing.');
    };
    await conflict('the first text of mine', 'the first text of theirs');
    assert.equal(await store.cli('get', 'k'), 'the first text of theirs');
    const marked = await page.locator('.sides mark').allInnerTexts();
    assert.deepEqual(marked, ['theirs', 'mine']);
    await accessible(page, 'conflict');
    await page.getByRole('button', { name: 'Take theirs' }).click();
    await until(page, 'theirs', () => document.querySelector('.editor')?.value === 'the first text of theirs');
    await conflict('mine again', 'theirs again');
    await page.getByRole('button', { name: 'Keep mine' }).click();
    await value(store, 'k', 'mine again');
    await conflict('mine once more', 'theirs once more');
    await page.getByRole('button', { name: 'Edit both' }).click();
    await until(page, 'both', () => document.querySelector('.editor')?.value === 'mine once more\n\ntheirs once more');
    await page.keyboard.press('Control+s');
    await value(store, 'k', 'mine once more\n\ntheirs once more');
    // What nobody is editing just changes.
    await shows(page, 'Saved');
    await agent.call('write_key', { key: 'k', value: 'seen at once' });
    await until(page, 'the new text', () => document.querySelector('.editor')?.value === 'seen at once');
    // Deleted beneath the hands.
    await editor(page).fill('still here');
    await agent.call('delete_key', { key: 'k' });
    await shows(page, 'claude-code deleted this key.');
    await accessible(page, 'deleted beneath');
    await page.getByRole('button', { name: 'Create it again' }).click();
    await value(store, 'k', 'still here');
    silent(page);
  }),

  'drafts outlive reloads and a killed server: nothing lost, nothing twice': ctx => withStore(ctx, async store => {
    let server = await store.serve();
    await store.cli('set', 'k', 'one');
    await store.cli('set', 'l', 'two');
    const page = await ctx.browser.open(server.link, { allowed: ['ERR_CONNECTION_REFUSED', 'ERR_INCOMPLETE_CHUNKED', 'ERR_EMPTY_RESPONSE', 'ERR_CONNECTION_RESET', 'WebSocket connection to'] });
    await row(page, 'k').click();
    await until(page, 'the text', () => document.querySelector('.editor')?.value === 'one');
    await editor(page).fill('one, changed');
    await page.reload();
    await until(page, 'the draft', () => document.querySelector('.editor')?.value === 'one, changed');
    await shows(page, 'Not saved yet');
    // Leaving discards nothing either.
    await page.keyboard.press('Escape');
    await hides(page, 'Not saved yet');
    await row(page, 'k').click();
    await until(page, 'the draft again', () => document.querySelector('.editor')?.value === 'one, changed');
    await kill(server);
    await shows(page, 'Connection lost.');
    await accessible(page, 'lost');
    await page.keyboard.press('Control+s');
    await shows(page, '1 change waits here.');
    const waits = () => row(page, 'k').evaluate(each => [each.getAttribute('aria-label').endsWith('your change is not saved yet'), each.innerText.includes('…')]);
    assert.deepEqual(await waits(), [true, true], 'its row says so');
    await shows(page, 'mindcache is not running.', 20_000);
    await accessible(page, 'stopped');
    server = await store.serve(server.address);
    await shows(page, 'Back. 1 change saved.', 20_000);
    await value(store, 'k', 'one, changed');
    assert.deepEqual(await waits(), [false, false]);
    // Killed in the midst of saving, many times: each text is saved once.
    for (let round = 0; round < 3; round++) {
      const text = `round ${round}`;
      await until(page, 'editable', () => document.querySelector('.editor')?.readOnly === false);
      await editor(page).fill(text);
      await Promise.all([page.keyboard.press('Control+s'), kill(server)]);
      server = await store.serve(server.address);
      await poll(async () => (await store.cli('get', 'k')) === text, `${text} is saved`, 25_000);
      await until(page, 'up to date', () => /Saved|Up to date/.test(document.querySelector('.saving')?.innerText), null, 25_000);
    }
    const written = (await history(store, 'k')).map(version => version.value);
    assert.deepEqual(written, ['round 2', 'round 1', 'round 0', 'one, changed', 'one']);
    silent(page);
  }),

  'images are shown, files downloaded and replaced, long texts read in pieces': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const file = (name, bytes) => {
      writeFileSync(`${store.data}/${name}`, bytes);
      return `${store.data}/${name}`;
    };
    const long = 'é'.repeat(300_000);
    await store.cli('set', 'long', '--file', file('long.txt', long));
    const page = await ctx.browser.open(server.link);
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByLabel('Name', { exact: true }).fill('brand/logo.png');
    await page.getByLabel('Image').check();
    await page.locator('input[type=file][name=file]').setInputFiles(file('logo.png', PNG));
    await page.getByRole('button', { name: 'Create' }).click();
    await until(page, 'the picture', () => document.querySelector('.binary img')?.naturalWidth === 1);
    await accessible(page, 'an image');
    await shows(page, 'image/png');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download', exact: true }).click()]);
    assert.equal(download.suggestedFilename(), 'logo.png');
    await page.locator('.detail input[type=file]').setInputFiles(file('other.png', Buffer.concat([PNG, Buffer.from([0])])));
    await shows(page, 'Saved other.png as brand/logo.png.');
    const give = (name, kind) => page.locator('.detail').evaluate((detail, [file, type, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], file, { type: 'image/png' }));
      const more = { bubbles: true, cancelable: true };
      detail.dispatchEvent(type === 'drop' ? new DragEvent(type, { dataTransfer: data, ...more }) : new ClipboardEvent(type, { clipboardData: data, ...more }));
    }, [name, kind, [...PNG]]);
    await give('dropped.png', 'drop');
    await shows(page, 'Saved dropped.png as brand/logo.png.');
    await until(page, 'it is there', () => document.querySelector('.about')?.innerText.includes('version 4'));
    await give('pasted.png', 'paste');
    await shows(page, 'Saved pasted.png as brand/logo.png.');
    await row(page, 'long').click();
    await shows(page, '600 KB. The first 524 KB are shown.');
    assert.equal(await editor(page).evaluate(field => field.readOnly), true, 'no part is edited for the whole');
    await page.getByRole('button', { name: 'More' }).click();
    await until(page, 'the whole', () => document.querySelector('.editor')?.value.length === 300_000);
    await editor(page).evaluate(field => field.setSelectionRange(0, 0));
    await editor(page).pressSequentially('!');
    await page.keyboard.press('Control+s');
    await poll(async () => (await store.cli('get', 'long')) === `!${long}`, 'the long text is saved');
    silent(page);
  }),
};
