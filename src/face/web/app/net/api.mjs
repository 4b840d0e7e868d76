// Requests: operations, raw values, and what the server says of itself. Errors carry the words of the server.

/** What went wrong: `code` of the operation, or `offline`, `signed_out`. */
export class Failure extends Error {
  constructor(code, message, more = {}) {
    super(message);
    this.code = code;
    Object.assign(this, more);
  }
}

const STORED = 'mc_page';
const TAB = 'mc_tab';

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), b => b.toString(16).padStart(2, '0')).join('');

/** A fresh id under which a change is made once, however often it is sent. */
export const freshId = () => `page-${random()}`;

/** This tab: its changes are taken back by it. A copied tab is told from the first by its own load. */
const tab = sessionStorage.getItem(TAB) || random();
sessionStorage.setItem(TAB, tab);

export const keepPageKey = key => localStorage.setItem(STORED, key);

export function headers(more = {}) {
  const key = localStorage.getItem(STORED);
  return { 'X-MindCache-Tab': tab, ...(key ? { 'X-MindCache-Page': key } : {}), ...more };
}

export async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: 'no-store', ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure('offline', 'The server does not answer.');
  }
  if (response.ok || response.status === 304) return response;
  if (response.status === 401) throw new Failure('signed_out', 'This tab is signed out.');
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Not ours: the status has to do.
  }
  throw new Failure(problem.code || problem.title || `http_${response.status}`, problem.detail || problem.error
    || `The server answered ${response.status}.`, { status: response.status, problem });
}

const base = instance => `/v1/i/${encodeURIComponent(instance)}`;

/** Does an operation. `once` has it done once, `signal` gives it up. */
export async function op(instance, name, args = {}, { signal, once } = {}) {
  const response = await send(`${base(instance)}/ops/${name}`, {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json', ...(once ? { 'Idempotency-Key': once } : {}) },
    body: JSON.stringify(args),
  });
  return response.json();
}

const valuePath = (instance, key) => `${base(instance)}/keys/${encodeURIComponent(key)}`;

/** The value of a key as it is. */
export const rawValue = async (instance, key, signal) => (await send(valuePath(instance, key), { signal })).blob();

/** Makes a file the value of a key. */
export async function putValue(instance, key, file, contentType, version) {
  const condition = version ? { 'If-Match': `"${version}"` } : { 'If-None-Match': '*' };
  const response = await send(valuePath(instance, key), {
    method: 'PUT', body: file, headers: { 'Content-Type': contentType, ...condition },
  });
  return response.json();
}

/** What the server says of itself: its version, and which page belongs to it. */
export const about = async () => (await send('/api/page')).json();

export const changesPath = (instance, since) => `${base(instance)}/changes${since === null ? '' : `?since=${since}`}`;
