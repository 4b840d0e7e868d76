// What a client must be able to do with mindcache: the same steps for both TypeScript packages.

import assert from 'node:assert/strict';

import { PROMPT_KEY, PROMPT_TEXT, runAll, since, within } from './store.mjs';

const KEY_URI = `mindcache://default/${encodeURIComponent(PROMPT_KEY)}`;
const PROMPT_URI = 'mindcache://default/$system_prompt';
const NOTES_URI = 'mindcache://default/notes';

// What the client was told and no step has waited for yet.
class Heard {
    events = [];
    waiting = new Set();

    add(event) {
        this.events.push(event);
        this.waiting.forEach(look => look());
    }

    // Waits for an event and takes it.
    until(what, wanted) {
        const found = new Promise(resolve => {
            const look = () => {
                const at = this.events.findIndex(wanted);
                if (at >= 0) {
                    this.waiting.delete(look);
                    resolve(this.events.splice(at, 1)[0]);
                }
            };
            this.waiting.add(look);
            look();
        });
        return within(what, found);
    }
}

// Runs the steps on each transport and in each era. `kit` is what differs between the packages.
export function run(kit) {
    const cases = ['stdio', 'http'].flatMap(transport => kit.eras.map(era => [transport, era]));
    return runAll(kit.name, cases, (store, transport, era) => steps(kit, store, transport, era));
}

async function steps(kit, store, transport, era) {
    const took = {};
    const timed = async (what, promise) => {
        const start = performance.now();
        const result = await promise;
        took[what] = since(start).trim();
        return result;
    };

    const heard = new Heard();
    const follow = list => ({
        debounceMs: 0,
        onChanged: (error, items) => heard.add({ list, error, names: items?.map(item => item.name) ?? [] }),
    });
    const listChanged = { tools: follow('tools'), resources: follow('resources') };
    const client = new kit.Client({ name: 'mindcache-check', version: '1' }, { listChanged, ...kit.options(era) });
    client.onerror = error => heard.add({ error });
    kit.onUpdated(client, ({ params }) => heard.add({ updated: params.uri }));
    const connection = await connect(kit, store, transport);
    try {
        await timed('connect', client.connect(connection));
        assert.equal(client.getServerVersion().name, 'mindcache');

        // Static tools, by which a key is made.
        const before = await timed('list', client.listTools());
        assert.deepEqual(missing(before.tools, ['list_keys', 'read_key', 'write_key']), []);
        const made = await timed('call', call(client, 'write_key', { key: 'notes', value: 'one' }));
        assert.equal(made.created, true);
        assert.equal((await call(client, 'read_key', { key: 'notes' })).value, 'one');
        const refused = await client.callTool({ name: 'read_key', arguments: { key: 'nothing' } });
        assert.deepEqual([refused.isError, refused.structuredContent.error.code], [true, 'not_found']);

        // The key's own tools, which the client is told of.
        const all = event => event.list === 'tools' && event.names.includes('write_notes');
        await heard.until('tools/list_changed after a key of its own', all);
        const after = await client.listTools();
        assert.deepEqual(missing(after.tools, ['write_notes', 'read_notes']), []);
        const written = await call(client, 'write_notes', { value: 'two', if_version: made.version });
        assert.equal(written.created, false);
        assert.equal((await call(client, 'read_notes', {})).value, 'two');

        // Resources and the prompt.
        const { resources } = await client.listResources();
        assert.deepEqual(resources.map(resource => resource.uri), [PROMPT_URI, KEY_URI, NOTES_URI]);
        assert.equal(await text(client, NOTES_URI), 'two');
        assert.equal(await text(client, KEY_URI), PROMPT_TEXT);
        const prompt = await client.getPrompt({ name: 'system_prompt' });
        assert.match(prompt.messages[0].content.text, new RegExp(PROMPT_TEXT));

        // A person writes a key that the client follows.
        const followed = [KEY_URI, PROMPT_URI];
        await kit.follow(client, followed, era);
        const updates = followed.map(uri => heard.until(`updated ${uri}`, event => event.updated === uri));
        await timed('updated', Promise.all([store.person('set', PROMPT_KEY, 'Answer in Breton.'), ...updates]));
        assert.equal(await text(client, KEY_URI), 'Answer in Breton.');

        // A person makes a key: told at once, although the agent's own was told a moment ago.
        const lists = [['tools', 'write_fresh'], ['resources', 'fresh']].map(([list, name]) =>
            heard.until(`${list}/list_changed`, event => event.list === list && event.names.includes(name)));
        await timed('list_changed', Promise.all([store.person('set', 'fresh', 'x'), ...lists]));

        assert.deepEqual(heard.events.filter(event => event.error), []);
        await connection.terminateSession?.();
    } finally {
        await client.close();
    }
    return Object.entries(took).map(([what, ms]) => `${what} ${ms}`).join(', ');
}

async function connect(kit, store, transport) {
    if (transport === 'stdio') {
        return new kit.StdioClientTransport(store.command);
    }
    const { url, headers } = await store.serve();
    return new kit.StreamableHTTPClientTransport(url, { requestInit: { headers } });
}

// The structured result of a call that must succeed.
async function call(client, name, args) {
    const result = await client.callTool({ name, arguments: args });
    assert.ok(!result.isError, `${name} refused: ${JSON.stringify(result.content)}`);
    return result.structuredContent;
}

async function text(client, uri) {
    return (await client.readResource({ uri })).contents[0].text;
}

function missing(tools, names) {
    return names.filter(name => !tools.some(tool => tool.name === name));
}
