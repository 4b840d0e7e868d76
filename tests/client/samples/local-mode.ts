import { MindCache } from 'mindcache';

const mc = new MindCache();
mc.set_value('name', 'Alice');
mc.subscribeToAll(() => console.log('changed!'));
