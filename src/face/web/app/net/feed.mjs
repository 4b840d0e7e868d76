// The changes of an instance as they happen: by the JavaScript client, let in by the sign-in of this tab.
import { followChanges } from '../client/changes.js';
import { send } from './api.mjs';

/** Milliseconds between two tries: at most the first, doubled each time, up to the last. The server is close by. */
const PAUSES = [1000, 8000];

/**
 * Follows an instance after `since`. `on` hears of `changes`, of a `gap` in them, of the `state` with the pause until the
 * next try, and of why the server lets nobody in: it `refused` this tab, or has `ended` the connection.
 */
export function follow(instance, since, on) {
  const token = async () => {
    try {
      const response = await send('/api/ws-token', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ instanceId: instance }),
      });
      return (await response.json()).token;
    } catch (error) {
      if (error.code === 'signed_out' || error.status === 403) on.refused(error.code);
      throw error;
    }
  };
  return followChanges({
    instanceId: instance, since, pauses: PAUSES, clientName: 'page', tokenProvider: token,
    onChanges: on.changes, onGap: on.gap, onState: on.state, onError: ({ code }) => code === 'ended' && on.ended(),
  });
}
