// A model of a server with a world around it, and clients that hear.
import assert from 'node:assert/strict';

import { createCloudMindCache } from 'mindcache/cloud';
import { ModelServer } from './model-server.mjs';
import { Clock, Network, World } from './world.mjs';

export class Stage {
  world = new World(7);
  server = new ModelServer(this.world);
  #count = 0;

  constructor() {
    this.network = new Network(this.world, this.server);
  }

  config(more = {}) {
    this.#count += 1;
    const replica = `r${this.#count}`;
    return {
      instanceId: 'i', baseUrl: 'http://model', tokenProvider: () => 't', WebSocket: this.network.WebSocket, clock: new Clock(this.world),
      random: () => 1, replica: () => replica, storage: null, ...more,
    };
  }

  /** A client that has everything, with what it hears. */
  async client(more) {
    const mc = createCloudMindCache(this.config(more));
    const heard = { errors: [], conflicts: [] };
    mc.onError(error => heard.errors.push([error.code, error.key]));
    mc.onConflict(conflict => heard.conflicts.push(conflict));
    await this.world.run(1_000);
    return { mc, ...heard };
  }

  get sockets() {
    return [...this.network.sockets];
  }
}

/** The messages that a client sends from now on. */
export function sent(line) {
  const messages = [];
  const { toServer } = line;
  line.toServer = function (message) {
    messages.push(JSON.parse(message));
    toServer.call(this, message);
  };
  return messages;
}

/** Lets promises go on. */
export const tick = () => new Promise(resolve => setImmediate(resolve));

/** Lets time pass until something is so. */
export async function until(stage, isSo) {
  for (let at = 0; at < 1_000 && !isSo(); at += 1) {
    await stage.world.run(1);
    await tick();
  }
  assert.ok(isSo());
}
