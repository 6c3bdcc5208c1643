import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range that systems take the ports of outgoing connections from. */
const lowest = 15_000;
const highest = 32_000;
const maxTries = 100;

/**
 * A port on 127.0.0.1 that nobody listened on a moment ago. No outgoing connection is ever given
 * it, so a server can be stopped for a while and started on it again. (A port from the system's
 * own range could be taken meanwhile, and a client that keeps trying could connect to itself.)
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < maxTries; tries++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${lowest} to ${highest} in ${maxTries} tries`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
