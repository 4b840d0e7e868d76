// Where the server is, and what lets a client in.

const ENDPOINT = '/api/ws-token';

/** A refusal of the server, which says no to this credential; anything else is tried again sooner. */
export class Refusal extends Error {}

const told = () => globalThis.process?.env?.MINDCACHE_BASE_URL;
const pageOrigin = () => (/^https?:/.test(globalThis.location?.origin ?? '') ? globalThis.location.origin : undefined);

export class Address {
  constructor(config) {
    if (!config?.instanceId) throw new TypeError('MindCache: cloud needs an instanceId');
    this.config = config;
    const base = config.baseUrl ?? told() ?? pageOrigin();
    if (!base) throw new TypeError('MindCache: cloud needs a baseUrl, or MINDCACHE_BASE_URL in the environment');
    this.base = base.replace(/^ws/, 'http').replace(/\/+$/, '');
    this.fetch = config.fetch ?? globalThis.fetch?.bind(globalThis);
  }

  /** What tells this instance's storage from others. */
  get name() {
    return [this.base, this.config.projectId ?? '', this.config.instanceId].join(' ');
  }

  /** The URL of a connection; `query` says more of what it is for. */
  socket(token, query) {
    const { instanceId, projectId, clientName = 'mindcache-js' } = this.config;
    const url = new URL(`${this.base}/sync/${encodeURIComponent(instanceId)}`);
    url.protocol = url.protocol.replace('http', 'ws');
    const more = { v: 2, project: projectId, ...query, client: clientName, token };
    for (const [name, value] of Object.entries(more)) if (value !== undefined && value !== null) url.searchParams.set(name, value);
    return url.href;
  }

  /** A token for one connection, at once or later; none when nothing was given to get one with. */
  token(signal) {
    const { tokenProvider, tokenEndpoint, apiKey } = this.config;
    if (tokenProvider) return tokenProvider();
    if (tokenEndpoint) return this.#ofEndpoint(tokenEndpoint, signal);
    if (apiKey) return this.#ofKey(apiKey, signal);
    return undefined;
  }

  /** Programs have an endpoint of their own, which keeps the key; a server's own takes a POST. */
  async #ofEndpoint(endpoint, signal) {
    const url = new URL(endpoint, pageOrigin() ?? told() ?? this.base);
    url.searchParams.set('instanceId', this.config.instanceId);
    if (this.config.projectId) url.searchParams.set('projectId', this.config.projectId);
    const response = await this.fetch(url.href, { signal });
    if (response.status !== 404 && response.status !== 405) return tokenOf(response);
    url.search = '';
    return tokenOf(await this.#post(url.href, {}, signal));
  }

  async #ofKey(key, signal) {
    const scheme = key.startsWith('del_') && key.includes(':') ? 'ApiKey' : 'Bearer';
    return tokenOf(await this.#post(this.base + ENDPOINT, { Authorization: `${scheme} ${key}` }, signal));
  }

  #post(url, headers, signal) {
    const { instanceId, projectId } = this.config;
    const body = JSON.stringify({ instanceId, ...(projectId ? { projectId } : {}) });
    return this.fetch(url, { method: 'POST', signal, headers: { 'Content-Type': 'application/json', ...headers }, body });
  }
}

async function tokenOf(response) {
  const answer = await response.json().catch(() => ({}));
  if (response.ok && typeof answer.token === 'string') return answer.token;
  const why = `No token: ${answer.error ?? `the server answered ${response.status}`}`;
  throw response.status >= 400 && response.status < 500 && response.status !== 429 ? new Refusal(why) : new Error(why);
}
