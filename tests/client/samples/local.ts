// 1.0 behavior (unchanged, small bundle)
import { MindCache } from 'mindcache';
const mc = new MindCache();
mc.set_value('name', 'Alice');
