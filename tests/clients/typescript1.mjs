// A real client: version 1 of the TypeScript package, over stdio and HTTP. It knows the older protocol only.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

import { run } from './steps.mjs';

await run({
    name: 'typescript 1',
    eras: ['legacy'],
    Client,
    StdioClientTransport,
    StreamableHTTPClientTransport,
    options: () => ({}),
    onUpdated: (client, heard) => client.setNotificationHandler(ResourceUpdatedNotificationSchema, heard),
    follow: (client, uris) => Promise.all(uris.map(uri => client.subscribeResource({ uri }))),
});
