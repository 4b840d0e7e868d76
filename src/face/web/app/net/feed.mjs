// The changes of an instance as they happen: server-sent events read by fetch, which can send our headers.
import { changesPath, send } from './api.mjs';

/** Splits a stream of events. `on` gets the name and the data of each. */
function parser(on) {
  let rest = '';
  return text => {
    rest += text;
    const blocks = rest.split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      let name = 'message';
      let data = '';
      for (const line of block.split('\n')) {
        if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data += line.slice(5).trimStart();
      }
      if (data) on(name, JSON.parse(data));
    }
  };
}

/** Follows an instance after `since`, until the server or `signal` ends it. `alive` is called for whatever comes. */
export async function follow(instance, since, { on, alive, signal }) {
  const response = await send(changesPath(instance, since), { signal, headers: { Accept: 'text/event-stream' } });
  const feed = parser(on);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    feed(value);
  }
}
