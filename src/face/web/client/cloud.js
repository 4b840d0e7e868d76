// What `import … from 'mindcache/cloud'` gives: a MindCache that is one of many.
import { MindCache } from './mindcache.js';
import { connect } from './sync/link.js';

/** Connects a MindCache to an instance on a server. Keys that it has already go there where the server has none. */
export function connectCloud(mc, config) {
  return connect(mc, config);
}

/** A new MindCache that is connected to an instance on a server. */
export function createCloudMindCache(config) {
  return new MindCache({ cloud: config });
}
