/** Program: the worker of a peer: `worker-process.js <peer> <store url> <settings as JSON>`. */

import type { PeerSettings } from './peer.js';
import { peers } from './peers.js';
import { createPoster } from './post.js';

const [name, storeUrl, settings] = process.argv.slice(2);
const peer = peers.find((each) => each.name === name);
if (!peer || !storeUrl || !settings)
  throw new Error(
    `usage: worker-process.js <peer> <store url> <settings>; got ${name ?? 'no arguments'}`,
  );

const stop = await peer.work(storeUrl, JSON.parse(settings) as PeerSettings, createPoster());
process.once('SIGTERM', () => void stop().finally(() => process.exit()));
process.once('disconnect', () => process.exit());
process.send?.('ready');
