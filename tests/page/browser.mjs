// Chromium, and pages in it that may complain of nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = join(dirname(fileURLToPath(import.meta.url)), 'shots');
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

export class Browser {
  contexts = new Set();

  async start() {
    this.folder = mkdtempSync(join(tmpdir(), 'mindcache-chromium-'));
    // Its own folder for what it writes, whatever the machine's user has.
    this.browser = await chromium.launch({
      executablePath: '/usr/bin/chromium', args: ARGS, env: { ...process.env, HOME: this.folder, XDG_CONFIG_HOME: this.folder, XDG_CACHE_HOME: this.folder },
    });
    return this;
  }

  /** A tab in a profile of its own, signed in by a link. `complaints` are those of the console and of the CSP. */
  async open(link, { size = 'desktop', dark = false, reduced = false, allowed = [], storage } = {}) {
    const context = await this.browser.newContext({
      viewport: SIZES[size], colorScheme: dark ? 'dark' : 'light', reducedMotion: reduced ? 'reduce' : 'no-preference', hasTouch: size === 'phone',
      storageState: storage, permissions: ['clipboard-read', 'clipboard-write'],
    });
    const page = await context.newPage();
    page.complaints = [];
    page.allowed = allowed;
    const complain = text => {
      if (!page.allowed.some(part => text.includes(part))) page.complaints.push(text);
    };
    page.on('console', message => ['error', 'warning'].includes(message.type()) && complain(`${message.text()} ${message.location().url}`));
    page.on('pageerror', error => complain(error.stack));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
    });
    await page.goto(link);
    return page;
  }

  async end() {
    await this.browser.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export function silent(page) {
  assert.deepEqual(page.complaints, [], 'the console and the CSP report nothing');
}

/**
 * No serious or critical violation, light, dark and on a phone, or only as the page is: a wash that has begun keeps the
 * colours of its beginning. Evaluated as the debugger does, past the page's policy.
 */
export async function accessible(page, state, { asItIs = false } = {}) {
  if (!asItIs) await until(page, 'no wash', () => !document.querySelector('.row[class*="lit-"]'));
  const size = page.viewportSize();
  const dark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
  const told = [];
  const own = dark ? 'dark' : 'light';
  const looks = asItIs ? [['as it is', size, own]] : [['light', size, 'light'], ['dark', size, 'dark'], ['phone', SIZES.phone, 'light']];
  for (const [name, viewport, colorScheme] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(`(() => { ${AXE}; return axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }); })()`);
    for (const each of found.violations.filter(one => ['serious', 'critical'].includes(one.impact))) {
      told.push(`${name}: ${each.id}: ${each.nodes.slice(0, 3).map(node => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(' | ')}`);
    }
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: own });
  assert.deepEqual(told, [], `accessible: ${state}`);
}

export const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`) });

export const row = (page, key) => page.locator(`.row[data-key=${JSON.stringify(key)}]`);

/** Waits until it is so, looking each frame; answers how long that took, in milliseconds. */
export async function until(page, what, test, argument, patience = 10_000) {
  const start = performance.now();
  try {
    await page.waitForFunction(test, argument, { timeout: patience });
  } catch (error) {
    throw new Error(`${what}: not within ${patience} ms (${error.message.split('\n')[0]})`, { cause: error });
  }
  return performance.now() - start;
}

export const shows = (page, text, patience) => until(page, `shows "${text}"`, wanted => document.body.innerText.replace(/\s+/g, ' ').includes(wanted), text, patience);
export const hides = (page, text, patience) => until(page, `hides "${text}"`, wanted => !document.body.innerText.replace(/\s+/g, ' ').includes(wanted), text, patience);
