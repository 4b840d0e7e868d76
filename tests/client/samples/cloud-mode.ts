import { MindCache } from 'mindcache';

const mc = new MindCache({
  cloud: {
    instanceId: 'my-instance-id',
    tokenEndpoint: '/api/ws-token',
  }
});

// Same API as local!
mc.subscribeToAll(() => console.log('synced!'));

// Additional properties for cloud
console.log(mc.connectionState); // 'disconnected' | 'connecting' | 'connected' | 'error'
console.log(mc.isLoaded);        // true when initial sync complete
console.log(mc.isCloud);         // true
