// What the types must allow, and what they must not. It is compiled, never run.
import { MindCache } from 'mindcache';
import type { Conflict, KeyAttributes, Storage, Tool } from 'mindcache';
import { connectCloud, createCloudMindCache } from 'mindcache/cloud';
import type { CloudLink } from 'mindcache/cloud';
import { followChanges } from 'mindcache/changes';
import type { Change, ChangesLink } from 'mindcache/changes';
import { fileStorage } from 'mindcache/node';

const storage: Storage = fileStorage('state/team');
const mc = new MindCache({ accessLevel: 'system', cloud: { instanceId: 'i', apiKey: 'k', storage } });
const attributes: KeyAttributes | undefined = mc.get_attributes('k');
const tags: string[] = attributes?.tags ?? [];
mc.set_value('k', { any: 'value' }, { type: 'json', tags, readonly: true, mine: 1 }, { ifVersion: mc.getVersion('k') });
const ends: (() => void)[] = [mc.subscribe('k', value => value.any), mc.subscribeToAll(() => {}), mc.onError(({ code }) => code.length)];
const tools: Record<string, Tool> = mc.get_aisdk_tools();
const written: Promise<{ key: string }> = tools.write_k.execute({ value: 'v' });
const link: CloudLink = connectCloud(new MindCache(), { instanceId: 'i', tokenProvider: async () => 't' });
link.onConflict((conflict: Conflict) => conflict.kept === 'mine');
createCloudMindCache({ instanceId: 'i' }).disconnect();

const seen: Change[] = [];
const following: ChangesLink = followChanges({ instanceId: 'i', since: 3, onChanges: (changes, { head }) => head > 3 && seen.push(...changes) });
following.hurry();
const preview: string | undefined = seen[0]?.row?.preview;

// @ts-expect-error: somebody has to hear of them
followChanges({ instanceId: 'i' });
// @ts-expect-error: an instance must be named
createCloudMindCache({ apiKey: 'k' });
// @ts-expect-error: no such type
mc.set_value('k', 1, { type: 'number' });
// @ts-expect-error: it is for reading
mc.isLoaded = true;

export { ends, preview, written };
