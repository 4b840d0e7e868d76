// What `import … from 'mindcache'` gives.
export { MindCache } from './mindcache.js';
