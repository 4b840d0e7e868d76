// What `import … from 'mindcache'` gives.
export { MindCache } from './core/mindcache.js';
