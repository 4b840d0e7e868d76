import { MindCache } from 'mindcache';
import { createCloudMindCache } from 'mindcache/cloud';

const localMc = new MindCache();
localMc.set_value('name', 'Alice', { tags: ['people'] });
const cloudMc = createCloudMindCache({ projectId: 'my-project', instanceId: 'main', apiKey: 'mc_live_xxxxx' });

// Export from local
const data = localMc.serialize();

// Import to cloud instance
cloudMc.deserialize(data);
