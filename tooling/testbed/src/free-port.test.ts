import { expect, it } from 'vitest';
import { freePort } from './free-port.js';
import { startReceiver } from './receiver/receiver.js';

it('returns ports that a server can listen on', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  for (const port of new Set(ports)) {
    const receiver = await startReceiver(200, { port });
    expect(receiver.port).toBe(port);
    await receiver.close();
  }
});
