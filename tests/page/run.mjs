// Each part in turn; a part that fails is told and does not stop the others.
import { Browser } from './browser.mjs';
import { basics } from './basics.mjs';
import { client } from './client.mjs';
import { edits } from './edits.mjs';
import { hostile } from './hostile.mjs';
import { looks } from './looks.mjs';
import { many } from './many.mjs';
import { model } from './model.mjs';
import { states } from './states.mjs';

const [binary, only] = process.argv.slice(2);
const parts = { ...model, ...basics, ...edits, ...states, ...looks, ...hostile, ...client, ...many };
const failed = [];
const began = performance.now();
const browser = await new Browser().start();
for (const [name, part] of Object.entries(parts)) {
  if (only && !name.includes(only)) continue;
  // A busy machine can be too slow for a browser once; what fails twice is wrong.
  for (const again of [false, true]) {
    const start = performance.now();
    const told = await part({ binary, browser }).then(told => ({ told }), error => ({ error }));
    const took = `${Math.round(performance.now() - start)} ms`;
    // What a part left open must not slow the next one.
    for (const context of browser.browser.contexts()) await context.close();
    if (!told.error) {
      console.log(`ok    ${name} (${took}${again ? ', the second time' : ''})${told.told ? `: ${told.told}` : ''}`);
      break;
    }
    console.log(`FAIL  ${name}\n${told.error.stack}`);
    if (again) failed.push(name);
  }
}
await browser.end();
console.log(`the page took ${((performance.now() - began) / 1000).toFixed(1)} s`);
process.exit(failed.length ? 1 : 0);
