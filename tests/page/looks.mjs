// Light, dark and phone: pictures, and what a screen reader finds in each. The README's come from here.
import assert from 'node:assert/strict';
import { withStore } from './basics.mjs';
import { accessible, row, shot, shows, silent, until } from './browser.mjs';

const day = 'Today so far: 63 keys changed, 2 conflicts settled, nothing lost.';

/** A store as two agents and a person have it after a while. */
async function lived(store, server) {
  const [claude, codex] = [await store.stdio('claude-code'), await store.http(server, 'codex')];
  const keys = {
    'agents/claude-code/current-task': 'Port the sync tests to the new clock; 4 of 11 green, next is the resume path.',
    'agents/claude-code/plan': '# Plan\n\n1. Read the failing tests\n2. Replace the wall clock by the one of the context\n3. Run again with the seed that failed\n4. Ask codex to review the resume path\n\nBlocked on: nothing.',
  };
  for (const [key, value] of Object.entries(keys)) await claude.call('write_key', { key, value, tags: ['plan', 'agents'] });
  await codex.call('write_key', { key: 'agents/codex/handoff', value: { from: 'codex', to: 'claude-code', branch: 'fix-lease' }, tags: ['handoff'] });
  await codex.call('write_key', { key: 'agents/codex/review-notes', value: 'Two remarks on the lease code: the fence is compared before the clock.' });
  for (const [key, value] of [['brand/voice', 'Plain words, short sentences. We say what happened and what to do next.'],
    ['customers/acme/brief', 'Acme wants the weekly digest on Mondays before nine.'], ['goals/q4', 'Ship the live page; ten teams on one computer each.'],
    ['instructions', 'You are one of several agents that share this memory.']]) await store.cli('set', key, value);
  await store.cli('set', '--type', 'json', 'config/feature-flags', '{"live_page": true, "mcp_apps": false, "history": "full"}');
  await store.cli('attr', 'instructions', '--system-tags', 'SystemPrompt,LLMRead,protected');
  await store.cli('attr', 'brand/voice', '--system-tags', 'SystemPrompt,LLMRead', '--tags', 'brand');
  await store.cli('attr', 'customers/acme/brief', '--system-tags', 'LLMWrite');
  return { claude, codex };
}

/** The order is one touch away, on a phone too, and large enough for a thumb. */
async function orderedByThumb(page) {
  const isRecent = page.url().includes('order=recent');
  const order = page.getByRole('button', { name: isRecent ? 'Order: Recent first' : 'Order: By name' });
  const box = await order.boundingBox();
  assert(box.width >= 36 && box.height >= 36, `${box.width} x ${box.height}`);
  await order.click();
  const first = isRecent ? 'agents/claude-code/current-task' : 'customers/acme/brief';
  await until(page, `${first} first`, key => document.querySelector('.row')?.dataset.key === key, first);
}

const look = (size, dark, name) => ctx => withStore(ctx, async store => {
  const server = await store.serve();
  const { claude, codex } = await lived(store, server);
  const page = await ctx.browser.open(server.link, { size, dark });
  await row(page, 'goals/q4').waitFor();
  await accessible(page, `${name}, the list`);
  // The face of the last writer always, the name only while it is news.
  const who = key => row(page, key).locator('.cell-who').evaluate(cell => [cell.innerText.split('\n').at(-1), cell.title]);
  assert.deepEqual(await who('goals/q4'), ['YO', 'you']);
  if (size === 'phone') {
    await shot(page, `${name}-list`);
    await orderedByThumb(page);
    await accessible(page, `${name}, the last change first`, { asItIs: true });
    await orderedByThumb(page);
  }
  await row(page, 'agents/claude-code/plan').click();
  await shows(page, 'Agents write it with');
  await accessible(page, `${name}, one key`);
  if (size === 'phone') {
    await shot(page, `${name}-key`);
    await page.getByRole('button', { name: 'Back to the list' }).click();
    await row(page, 'goals/q4').waitFor();
  }
  await Promise.all([
    claude.call('write_key', { key: 'agents/claude-code/current-task', value: 'Port the sync tests to the new clock; 5 of 11 green.' }),
    codex.call('write_key', { key: 'digest/today', value: day, tags: ['digest'] }),
  ]);
  await until(page, 'two rows are lit', () => document.querySelectorAll('.row[class*="lit-"]').length === 2);
  await shot(page, name);
  if (size === 'desktop') assert.deepEqual(await who('digest/today'), ['codex', 'codex']);
  await accessible(page, `${name}, live`, { asItIs: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert(!wide, 'nothing is scrolled sideways');
  silent(page);
});

export const looks = {
  'light': look('desktop', false, 'light'),
  'dark': look('desktop', true, 'dark'),
  'phone, light': look('phone', false, 'phone'),
  'phone, dark': look('phone', true, 'phone-dark'),
  'from 360 to 1800 pixels nothing is cut off, and without motion nothing moves': ctx => withStore(ctx, async store => {
    const server = await store.serve();
    const { claude } = await lived(store, server);
    const page = await ctx.browser.open(server.link, { reduced: true });
    await row(page, 'agents/claude-code/plan').click();
    await shows(page, 'Who sees it');
    for (const width of [360, 760, 1024, 1800]) {
      await page.setViewportSize({ width, height: 800 });
      const cut = await page.evaluate(() => [...document.querySelectorAll('header, main, button, h2')].filter(each => {
        const box = each.getBoundingClientRect();
        return box.width > 0 && !each.closest('.grid, .facets, .quiet') && (box.right > innerWidth + 1 || box.left < -1);
      }).map(each => each.outerHTML.slice(0, 100)));
      assert.deepEqual(cut, [], `at ${width}`);
    }
    await claude.call('write_key', { key: 'agents/claude-code/current-task', value: 'still' });
    await until(page, 'a still wash', () => {
      const lit = document.querySelector('.row[class*="lit-"]');
      return lit && getComputedStyle(lit).animationName === 'none' && getComputedStyle(lit).backgroundColor === 'rgb(255, 240, 179)';
    });
    // Somebody who cannot see is told, by the names of things.
    const label = await row(page, 'instructions').getAttribute('aria-label');
    assert.match(label, /^instructions, Text, in the prompt, protected, .* you, /);
    silent(page);
  }),
};
