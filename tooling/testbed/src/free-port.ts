import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Bounds of the ports. They are below the range that systems use for outgoing connections. */
const lowest = 15_000;
const highest = 32_000;
const maxTries = 100;

/**
 * Returns a port on 127.0.0.1 that was free a moment ago. It is never used for an outgoing connection,
 * so a server can be stopped and started on it again. A port of the system's own range could be taken
 * in between, and a client that keeps trying could connect to itself.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < maxTries; tries++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${lowest} and ${highest} in ${maxTries} tries`);
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
