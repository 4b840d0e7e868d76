// A real client: version 2 of the TypeScript package, over stdio and HTTP, in each era that it knows. `auto` finds
// out by itself which one a server speaks, and must find the newer one.

import assert from 'node:assert/strict';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { run } from './steps.mjs';

const NEWER = '2026-07-28';
const MODES = { legacy: 'legacy', auto: 'auto', modern: { pin: NEWER } };

await run({
    name: 'typescript 2',
    eras: Object.keys(MODES),
    Client,
    StdioClientTransport,
    StreamableHTTPClientTransport,
    options: era => ({ versionNegotiation: { mode: MODES[era] } }),
    onUpdated: (client, heard) => client.setNotificationHandler('notifications/resources/updated', heard),
    follow: async (client, uris, era) => {
        const version = client.getNegotiatedProtocolVersion();
        assert.equal(version === NEWER, era !== 'legacy', `${era} chose ${version}`);
        if (era === 'legacy') {
            return Promise.all(uris.map(uri => client.subscribeResource({ uri })));
        }
        const subscription = await client.listen({ resourceSubscriptions: uris });
        assert.deepEqual(subscription.honoredFilter.resourceSubscriptions, uris);
    },
});
