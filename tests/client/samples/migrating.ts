import { MindCache } from 'mindcache';
import { connectCloud } from 'mindcache/cloud';

const mc = new MindCache();
connectCloud(mc, {
  projectId: 'my-project',
  instanceId: 'main',
  apiKey: 'mc_live_xxxxx'
});

// Everything else unchanged!
mc.set_value('name', 'Alice');
const tools = mc.get_aisdk_tools();
