// Getting in: the one-time code of the link becomes a cookie and a page key.
import { keepPageKey } from './api.mjs';

/** Takes the code out of the address, and with it in. Answers with why it was refused, if it was. */
export async function enter() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const code = parts.get('code');
  if (!code) return null;
  const instance = parts.get('i');
  // First of all: neither the history nor a bookmark keeps it.
  history.replaceState(null, '', instance ? `#/i/${encodeURIComponent(instance)}/keys` : '#/');
  try {
    const response = await fetch('/api/sign-in', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ code }), cache: 'no-store',
    });
    const answer = await response.json();
    if (response.ok) {
      keepPageKey(answer.page_key);
      return null;
    }
    // A server that asks for no sign-in knows no codes.
    return response.status === 404 ? null : answer.error;
  } catch {
    return 'The server does not answer.';
  }
}
