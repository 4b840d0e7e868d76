// A server in a folder of its own, which may be killed and started again where it was.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const binary = process.env.MINDCACHE_BINARY;

export class Server {
  folder = mkdtempSync(join(tmpdir(), 'mindcache-js-'));
  listen = '127.0.0.1:0';
  said = '';

  static async start(...flags) {
    const server = new Server();
    server.flags = flags;
    await server.start();
    return server;
  }

  /** Runs a command as a person does; answers with what it printed. */
  async person(...args) {
    return (await promisify(execFile)(binary, ['--data-dir', this.folder, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout.trimEnd();
  }

  get token() {
    return readFileSync(join(this.folder, 'token'), 'utf8').trim();
  }

  async start() {
    this.child = spawn(binary, ['--data-dir', this.folder, 'serve', '--listen', this.listen, ...this.flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr.on('data', text => { this.said += text; });
    let printed = '';
    // Read to the end: a server whose pipe is closed could not print what else it has to say.
    await new Promise((resolve, reject) => {
      this.child.stdout.on('data', text => {
        printed += text;
        const found = /listening on (http:\/\/(\S+))\n/.exec(printed);
        if (!found) return;
        [, this.url, this.listen] = found;
        resolve();
      });
      this.child.once('exit', code => reject(new Error(`the server ended with ${code}: ${this.said}`)));
    });
  }

  async kill(signal = 'SIGKILL') {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }

  async remove() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for something that must come; looks at each change of a MindCache. */
export function until(mc, what, isSo, seconds = 60) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { end(); reject(new Error(`waited ${seconds} s for ${what}: ${mc.connectionState}, ${mc.pending} pending`)); }, seconds * 1_000);
    const end = mc.subscribeToAll(look);
    function look() {
      if (!isSo()) return;
      clearTimeout(timer);
      end();
      resolve();
    }
    look();
  });
}
