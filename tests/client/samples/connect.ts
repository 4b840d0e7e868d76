// 2.0 behavior (adds cloud sync)
import { MindCache } from 'mindcache';
import { connectCloud } from 'mindcache/cloud';

const mc = new MindCache();
connectCloud(mc, {
  projectId: 'my-project',
  instanceId: 'main',
  apiKey: 'mc_live_xxxxx'
});

// Same API for both!
mc.set_value('name', 'Alice');
const tools = mc.get_aisdk_tools();
const prompt = mc.get_system_prompt();
