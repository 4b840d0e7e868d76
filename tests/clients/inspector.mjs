// A real client: the command line of the Inspector, over stdio and HTTP in both eras. Its strict check of the tools'
// schemas must find nothing. It is one process for each request, so it follows nothing.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { PROMPT_KEY, PROMPT_TEXT, runAll, since } from './store.mjs';

const PROGRAM = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js';
const LAUNCHER = join(import.meta.dirname, PROGRAM);

const cases = ['stdio', 'http'].flatMap(transport => ['legacy', 'modern'].map(era => [transport, era]));
await runAll('inspector', cases, async (store, transport, era) => {
    const home = await mkdtemp(join(tmpdir(), 'mindcache-inspector-'));
    try {
        return await steps(await inspector(store, transport, era, home), era);
    } finally {
        await rm(home, { recursive: true });
    }
});

async function steps(inspect, era) {
    const call = async (tool, args) => {
        const { result } = await inspect('tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args));
        // Only the newer protocol has the server name itself in each result.
        assert.equal('_meta' in result, era === 'modern');
        return result.structuredContent;
    };
    assert.equal((await call('write_key', { key: 'notes', value: 'one' })).created, true);
    assert.equal((await call('write_notes', { value: 'two' })).created, false);
    assert.equal((await call('read_notes', {})).value, 'two');

    const start = performance.now();
    const { tools } = (await inspect('tools/list', '--strict')).result;
    const took = since(start).trim();
    const names = tools.map(tool => tool.name);
    assert.ok(['write_key', 'write_notes', 'read_notes'].every(name => names.includes(name)), names);

    const uri = `mindcache://default/${encodeURIComponent(PROMPT_KEY)}`;
    const read = await inspect('resources/read', '--uri', uri);
    assert.equal(read.result.contents[0].text, PROMPT_TEXT);
    const prompt = await inspect('prompts/get', '--prompt-name', 'system_prompt');
    assert.match(prompt.result.messages[0].content.text, new RegExp(PROMPT_TEXT));
    return `list ${took}, most of it the start of the Inspector`;
}

// A function that sends one request and answers with what the Inspector printed.
async function inspector(store, transport, protocolEra, home) {
    const server = transport === 'stdio' ? store.command : await store.serve();
    const config = join(home, 'inspector.json');
    await writeFile(config, JSON.stringify({ mcpServers: { mindcache: { type: transport, protocolEra, ...server } } }));
    // Whatever it remembers, it remembers in this folder; secrets not at all.
    const env = { PATH: process.env.PATH, HOME: home, MCP_INSPECTOR_SECRET_STORE: 'memory' };
    const fixed = [LAUNCHER, '--cli', '--config', config, '--server', 'mindcache', '--format', 'json'];
    return async (method, ...args) => {
        const all = [...fixed, '--method', method, ...args];
        const { stdout, stderr } = await promisify(execFile)(process.execPath, all, { env });
        assert.ok(!complaints(stderr), `${method}:\n${complaints(stderr)}`);
        return JSON.parse(stdout);
    };
}

// What it printed beside the result, without its notes on where it would keep secrets.
function complaints(stderr) {
    return stderr.split('\n').filter(line => line && !line.startsWith('[mcp-inspector]')).join('\n');
}
