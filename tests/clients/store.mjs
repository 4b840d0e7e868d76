// What a script needs around its client: a data folder of its own, a person at the command line, an HTTP server.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

export const PROMPT_KEY = 'rules/été';
export const PROMPT_TEXT = 'Answer in French. 🗝';

export class Store {
    log = '';

    // A store with one key, which is part of the system prompt.
    static async make(binary) {
        const store = new Store();
        store.binary = resolve(binary);
        store.folder = await mkdtemp(join(tmpdir(), 'mindcache-client-'));
        await store.person('set', PROMPT_KEY, PROMPT_TEXT);
        await store.person('attr', PROMPT_KEY, '--system-tags', 'SystemPrompt,LLMRead');
        return store;
    }

    // The program that a client starts for stdio.
    get command() {
        return { command: this.binary, args: ['--data-dir', this.folder, 'mcp'] };
    }

    // Runs a command as a person does; answers with what it printed.
    async person(...args) {
        return (await promisify(execFile)(this.binary, ['--data-dir', this.folder, ...args])).stdout;
    }

    // Starts the HTTP server; answers with what a client needs to reach it.
    async serve() {
        const args = ['--data-dir', this.folder, 'serve', '--listen', '127.0.0.1:0'];
        this.server = spawn(this.binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        this.server.stderr.on('data', text => (this.log += text));
        const lines = createInterface({ input: this.server.stdout });
        const [first] = await within('the first line of serve', once(lines, 'line'));
        const url = new URL('/mcp', first.split(' listening on ')[1]);
        const token = (await readFile(join(this.folder, 'token'), 'utf8')).trim();
        return { url, headers: { Authorization: `Bearer ${token}` } };
    }

    // Stops the server, which must have found nothing to complain about.
    async stop() {
        if (this.server) {
            const gone = once(this.server, 'close');
            this.server.kill();
            await within('the server to stop', gone);
        }
        if (this.log) {
            throw new Error(`the server logged:\n${this.log}`);
        }
    }

    // Removes the folder, and the server when a failure left it running.
    async remove() {
        this.server?.kill('SIGKILL');
        await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }
}

// Waits for something that must come, and says what did not.
export async function within(what, promise, seconds = 10) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Runs each case in a fresh store, a line for each, and sets the exit code.
export async function runAll(client, cases, steps) {
    if (process.argv.length !== 3) {
        console.error('usage: node SCRIPT PATH/TO/mindcache');
        process.exit(2);
    }
    for (const [transport, era] of cases) {
        const name = `${client.padEnd(13)} ${transport.padEnd(5)} ${era.padEnd(6)}`;
        const start = performance.now();
        const store = await Store.make(process.argv[2]);
        try {
            const note = await within('all steps', steps(store, transport, era), 60);
            await store.stop();
            console.log(`${name} ok     ${since(start)} ms: ${note}`);
        } catch (error) {
            process.exitCode = 1;
            console.log(`${name} FAILED ${since(start)} ms: ${error.stack}`);
        } finally {
            await store.remove();
        }
    }
    // Whatever a failed client left open must not keep the script running.
    process.exit();
}

// Whole milliseconds since a moment.
export function since(start) {
    return String(Math.round(performance.now() - start)).padStart(4);
}
