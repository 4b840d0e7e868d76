// What `import … from 'mindcache/changes'` gives: the changes of an instance as they happen, without its keys. For lists,
// which show a part of many keys.
import { Address } from './sync/address.js';
import { Follower } from './sync/follower.js';
import { coded, newReplica, Runner } from './sync/runner.js';

/** Follows an instance, from the change after `config.since` on, or from now on, until `disconnect()`. */
export function followChanges(config) {
  const { since, log, pauses, random = Math.random, replica = newReplica, onChanges, onGap, onState, onError } = config;
  const line = new Follower({ since, log, pauses, random });
  const does = {
    changes: ({ changes, seq, head }) => onChanges(changes, { seq, head }),
    gap: ({ reason, seq }) => onGap?.(reason, seq),
    state: ({ state }) => onState?.(state, line.phase === 'waiting' ? Math.max(0, line.deadline - runner.clock.now()) : null),
    error: ({ error }) => onError?.(Object.assign(coded(error.code, error.message), error)),
  };
  const runner = new Runner({ line, address: new Address(config), config, replica: replica(), does: effect => does[effect.do](effect) });
  runner.start();
  return {
    get connectionState() {
      return line.state;
    },
    get permission() {
      return line.permission;
    },
    get instanceId() {
      return line.instance;
    },
    get seq() {
      return line.seq;
    },
    get log() {
      return line.log;
    },
    call: (operation, args) => runner.call(operation, args),
    hurry: runner.hurry,
    disconnect: () => runner.stop(),
  };
}
