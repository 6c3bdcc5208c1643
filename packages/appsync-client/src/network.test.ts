// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createManualClock } from '../test/manual-clock.js';
import { last, open } from '../test/open-client.js';
import { startScripted } from '../test/scripted-server.js';
import type { WebSocketConstructor } from './index.js';

/** Starts a client in a page, with a clock that the test moves. */
async function startPage() {
  const server = await startScripted();
  const clock = createManualClock();
  const client = await open(server, {
    clock,
    WebSocket: WebSocket as unknown as WebSocketConstructor,
    random: () => 0.5,
    reconnect: { initialMs: 200, maxMs: 60_000 },
  });
  return { server, clock, client };
}

/** Hides or shows the page, as a change of tabs does. */
function setVisibility(state: 'hidden' | 'visible'): void {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('a page', () => {
  it('that is online again connects soon, by a short random wait, and not after the long one', async () => {
    const { server, clock, client } = await startPage();
    await server.close();
    for (let attempts = 1; attempts < 5; attempts += 1) {
      await expect.poll(() => clock.waits.at(-1)).toBe(100 * 2 ** (attempts - 1));
      clock.advance(clock.waits.at(-1) ?? 0);
    }
    await expect.poll(() => clock.waits.at(-1)).toBe(1_600);
    const [, port] = server.endpoint.split(':');
    const next = await startScripted(undefined, Number(port));
    window.dispatchEvent(new Event('online'));
    expect(clock.waits.at(-1)).toBe(100);
    expect(client.state).toBe('reconnecting');
    clock.advance(100);
    await expect.poll(() => client.state).toBe('open');
    expect(next.peers).toHaveLength(1);
  });

  it.each([
    ['is online again', () => window.dispatchEvent(new Event('online'))],
    ['is shown again', () => setVisibility('visible')],
  ])('that %s notices at once that its socket has died meanwhile', async (_, happen) => {
    const { server, clock, client } = await startPage();
    clock.skip(149_000);
    happen();
    expect(client.state).toBe('open');
    // Timers of a hidden page are slow: none has run.
    clock.skip(2_000);
    happen();
    expect(client.state).toBe('reconnecting');
    clock.advance(100);
    await expect.poll(() => client.state).toBe('open');
    expect(server.peers).toHaveLength(2);
  });

  it('that is hidden does not hurry', async () => {
    const { server, clock, client } = await startPage();
    last(server).cut();
    await expect.poll(() => client.state).toBe('reconnecting');
    const { length } = clock.waits;
    setVisibility('hidden');
    expect(clock.waits).toHaveLength(length);
    setVisibility('visible');
    expect(clock.waits).toHaveLength(length + 1);
    client.close();
    window.dispatchEvent(new Event('online'));
    expect(clock.waits).toHaveLength(length + 1);
  });
});
