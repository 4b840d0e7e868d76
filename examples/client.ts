// A client in TypeScript, with `@modelcontextprotocol/sdk`: it lists the tools, writes a key, and is told when someone
// else does. Node 22.18 and later run it as it is:
//
//     node examples/client.ts [PATH/TO/mindcache]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ResourceUpdatedNotificationSchema, type CallToolResult } from '@modelcontextprotocol/sdk/types.js';

const mindcache = process.argv[2] ?? 'mindcache';
// A folder of its own, so that the example leaves your memory alone. Without --data-dir it is your own.
const folder = mkdtempSync(join(tmpdir(), 'mindcache-example-'));
const dataDir = ['--data-dir', folder];
// Each key is a resource; this is the URI of the key `notes` in the default instance.
const NOTES = 'mindcache://default/notes';

const client = new Client({ name: 'example', version: '1' });

// Calls a tool and gives its structured result. A refusal is a result too: it says what to do about it.
async function call(name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
    const result = (await client.callTool({ name, arguments: args })) as CallToolResult;
    assert.ok(!result.isError, `${name} refused: ${JSON.stringify(result.structuredContent)}`);
    return result.structuredContent ?? {};
}

async function toolNames(): Promise<string[]> {
    return (await client.listTools()).tools.map(tool => tool.name);
}

try {
    // The client runs the server, and speaks to it on its standard input and output.
    await client.connect(new StdioClientTransport({ command: mindcache, args: [...dataDir, 'mcp'] }));

    // 1. What can this server do?
    const tools = await toolNames();
    console.log(`${tools.length} tools: ${tools.join(', ')}`);
    assert.ok(tools.includes('write_key'));

    // 2. Make a key. From then on it has tools of its own, here write_notes and read_notes.
    const made = await call('write_key', { key: 'notes', value: 'Ask Mira.' });
    console.log('write_key made notes:', made);
    const fresh = (await toolNames()).filter(name => !tools.includes(name));
    console.log(`new tools: ${fresh.join(', ')}`);
    assert.deepEqual(fresh, ['write_notes', 'read_notes']);

    // 3. Write through the key's own tool. if_version: only if nobody changed it since we wrote it.
    const written = await call('write_notes', { value: 'Mira says yes.', if_version: made.version });
    console.log('write_notes:', written);

    // 4. Follow the key: say what to do when it changes, then subscribe.
    const told = new Promise<string>((resolve, reject) => {
        setTimeout(() => reject(new Error('nothing heard in 10 s')), 10_000).unref();
        client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri));
    });
    await client.subscribeResource({ uri: NOTES });
    //    Someone else, in another process, writes.
    execFileSync(mindcache, [...dataDir, 'set', 'notes', 'Mira says no.'], { stdio: 'inherit' });
    const uri = await told;
    console.log(`told: ${uri} was updated`);
    assert.equal(uri, NOTES);

    // 5. The notification says that, not what: read it.
    const [now] = (await client.readResource({ uri: NOTES })).contents;
    assert.ok(now && 'text' in now);
    console.log(`it is now: ${now.text}`);
    assert.equal(now.text, 'Mira says no.');
} finally {
    // The server ends when its client goes.
    await client.close();
    rmSync(folder, { recursive: true });
}
