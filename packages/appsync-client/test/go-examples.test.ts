import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApiKeyConfig, createWebSocketClient, dialWebSocket } from '../src/index.js';
import { agreeable, type ScriptedServer, startScripted } from './scripted-server.js';

/**
 * Starts the server that the Go client's examples talk to: it selects `aws-appsync-event-ws`, sends
 * no `ka`, and sends the event `eventa`, which is no JSON, to each subscriber.
 */
function startMimic(): Promise<ScriptedServer> {
  return startScripted((frame, peer) => {
    agreeable(frame, peer);
    if (frame.type === 'subscribe') peer.send({ type: 'data', id: frame.id, event: 'eventa' });
  });
}

/** Dials as the examples do, and keeps the lines that they print. */
async function openExample() {
  const { endpoint } = await startMimic();
  const config = createApiKeyConfig(endpoint, endpoint, 'api-key', {
    httpProtocol: 'http',
    webSocketProtocol: 'ws',
  });
  const print = vi.spyOn(console, 'log').mockReturnValue();
  const connection = await dialWebSocket(config);
  const client = createWebSocketClient(connection, config);
  onTestFinished(() => {
    client.close();
    print.mockRestore();
  });
  return { client, printed: () => print.mock.calls };
}

describe('the examples of the Go client, ported', () => {
  it('publishes two events and prints the indexes of those that succeeded', async () => {
    const { client, printed } = await openExample();

    const { successIndexes } = await client.publish('/default/channel', ['eventa', 'eventb']);
    console.log(successIndexes);

    expect(printed()).toEqual([[[0, 1]]]);
  });

  it('subscribes and prints the first event', async () => {
    const { client, printed } = await openExample();

    const subscription = client.subscribe('/default/channel');
    await subscription.ready;
    for await (const message of subscription) {
      console.log(message.event);
      break;
    }

    expect(printed()).toEqual([['eventa']]);
  });

  it('unsubscribes, and the iteration ends behind what had come', async () => {
    const { client, printed } = await openExample();

    const subscription = client.subscribe('/default/channel');
    await subscription.ready;
    await subscription.unsubscribe();
    const events: string[] = [];
    for await (const message of subscription) events.push(message.event);
    console.log('channel is unsubscribed');

    expect(printed()).toEqual([['channel is unsubscribed']]);
    expect(events).toEqual(['eventa']);
    expect(client.err).toBeUndefined();
  });
});
