// A hundred thousand keys beside a hundred, and a burst of changes.
import assert from 'node:assert/strict';
import { fill, withStore } from './basics.mjs';
import { row, shows, silent, until } from './browser.mjs';

const median = numbers => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const some = count => Array.from({ length: count }, (_, n) => ({
  key: `area/${n % 97}/item-${String(n).padStart(6, '0')}`, value: `The value of item ${n}, some words long.`,
  ...(n % 10 ? {} : { tags: ['tenth'] }),
}));

/** Time of scripts, as the browser counts it. */
async function scripts(client) {
  const { metrics } = await client.send('Performance.getMetrics');
  return 1000 * metrics.find(each => each.name === 'ScriptDuration').value;
}

async function firstRows(page, link) {
  const took = [];
  for (let round = 0; round < 7; round++) {
    if (round === 0) await page.goto(link);
    else await page.reload();
    await page.waitForSelector('.row[data-key]');
    if (round > 0) took.push(await page.evaluate(() => performance.now()));
  }
  return median(took);
}

async function keystrokes(page) {
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.enable');
  const field = page.getByLabel('Filter keys');
  const took = [];
  for (const text of ['i', 'it', 'ite', 'item', 'item-', 'item-0', 'item-00', 'item-000', 'item-0000', 'item-00004']) {
    const before = await scripts(client);
    const answered = page.waitForResponse(response => response.url().endsWith('/ops/key_browse'));
    await field.fill(text);
    await answered;
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 50))));
    took.push((await scripts(client)) - before);
  }
  await field.fill('');
  return median(took);
}

async function measure(ctx, count) {
  return withStore(ctx, async store => {
    const server = await store.serve();
    await fill(store, some(count));
    const page = await ctx.browser.open('about:blank');
    const first = await firstRows(page, server.link);
    const key = await keystrokes(page);
    await until(page, 'all again', number => document.querySelector('.total').innerText.includes(number), count.toLocaleString('en'));
    const jumps = [];
    let most = 0;
    for (const part of [0.5, 0.9, 0.1, 1, 0.3]) {
      const start = performance.now();
      await page.locator('.grid').evaluate((grid, to) => grid.scrollTo(0, to * (grid.scrollHeight - grid.clientHeight)), part);
      await until(page, 'rows there', () => document.querySelectorAll('.row[data-key]').length > 10 && !document.querySelector('.row.pending'));
      jumps.push(performance.now() - start);
      most = Math.max(most, await page.locator('.row').count());
    }
    assert(most <= 200, `${most} rows in the document`);
    const burst = count > 1000 ? await flood(store, server, page) : null;
    silent(page);
    await page.context().close();
    return { first, key, jump: median(jumps), most, burst };
  });
}

/** Five thousand writes at once: how long the longest task of the page was. */
async function flood(store, server, page) {
  await page.locator('.grid').evaluate(grid => grid.scrollTo(0, 0));
  await row(page, 'area/0/item-000000').waitFor();
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver(list => {
      for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
    }).observe({ type: 'longtask', buffered: false });
  });
  await fill(store, Array.from({ length: 5000 }, (_, n) => ({ key: `area/0/item-${String(n * 97).padStart(6, '0')}`, value: `burst ${n}` })));
  await shows(page, 'burst 0', 30_000);
  await store.cli('set', 'area/0/item-000000', 'after the burst');
  await shows(page, 'after the burst', 30_000);
  return page.evaluate(() => window.longest);
}

export const many = {
  'a hundred thousand keys are as smooth as a hundred': async ctx => {
    const few = await measure(ctx, 100);
    const lots = await measure(ctx, 100_000);
    const told = JSON.stringify({ few, lots }, (name, value) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value));
    assert(lots.first <= 2 * few.first, `first rows: ${told}`);
    assert(lots.key <= 2 * few.key && lots.key <= 50, `a keystroke: ${told}`);
    assert(lots.burst <= 200, `a task of ${lots.burst} ms: ${told}`);
    return told;
  },
};
