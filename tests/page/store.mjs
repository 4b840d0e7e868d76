// A data folder, the processes on it, and agents that speak MCP to them.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export class Store {
  constructor(binary) {
    this.binary = binary;
    this.data = mkdtempSync(join(tmpdir(), 'mindcache-page-'));
    this.env = { PATH: process.env.PATH, HOME: this.data, MINDCACHE_DATA_DIR: this.data };
    this.children = new Set();
  }

  async cli(...args) {
    const { stdout } = await promisify(execFile)(this.binary, args, { env: this.env, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  }

  /** A server; at a free port unless told. */
  serve(listen = '127.0.0.1:0') {
    const child = spawn(this.binary, ['serve', '--listen', listen], { env: this.env, stdio: ['ignore', 'pipe', 'ignore'] });
    this.children.add(child);
    return new Promise((resolve, reject) => {
      let said = '';
      child.stdout.on('data', data => {
        said += data;
        const found = /listening on (http:\/\/\S+)[\s\S]*page: (\S+)/.exec(said);
        if (found) resolve({ child, url: found[1], address: found[1].slice(7), link: found[2] });
      });
      child.on('exit', code => reject(new Error(`the server ended with ${code}: ${said}`)));
    });
  }

  token = () => readFileSync(join(this.data, 'token'), 'utf8').trim();

  /** An agent on stdio. */
  async stdio(name) {
    const child = spawn(this.binary, ['mcp'], { env: this.env, stdio: ['pipe', 'pipe', 'ignore'] });
    this.children.add(child);
    const waiting = new Map();
    let rest = '';
    child.stdout.on('data', data => {
      rest += data;
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines.filter(Boolean)) {
        const message = JSON.parse(line);
        waiting.get(message.id)?.(message.result);
      }
    });
    let last = 0;
    const request = (method, params) => new Promise(resolve => {
      waiting.set(++last, resolve);
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: last, method, params })}\n`);
    });
    await request('initialize', hello(name));
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
    return { call: (tool, args) => request('tools/call', { name: tool, arguments: args }) };
  }

  /** An agent over HTTP. */
  async http(server, name) {
    let session = null;
    let last = 0;
    const request = async (method, params) => {
      const response = await fetch(`${server.url}/mcp`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Authorization: `Bearer ${this.token()}`,
          ...(session ? { 'Mcp-Session-Id': session, 'MCP-Protocol-Version': '2025-11-25' } : {}),
        },
        body: JSON.stringify({ jsonrpc: '2.0', ...(method.startsWith('notifications/') ? {} : { id: ++last }), method, params }),
      });
      session ??= response.headers.get('mcp-session-id');
      const text = await response.text();
      const data = text.split('\n').filter(line => line.startsWith('data: {')).at(-1)?.slice(6) || text;
      return data ? JSON.parse(data).result : null;
    };
    await request('initialize', hello(name));
    await request('notifications/initialized', {});
    return { call: (tool, args) => request('tools/call', { name: tool, arguments: args }) };
  }

  end() {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.data, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const hello = name => ({ protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } });

export function kill(server) {
  return new Promise(resolve => {
    server.child.on('exit', resolve);
    server.child.kill('SIGKILL');
  });
}
