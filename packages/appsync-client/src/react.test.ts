// @vitest-environment jsdom
import { act, createElement, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { idOf, last, open } from '../test/open-client.js';
import { agreeable, type ScriptedServer, startScripted } from '../test/scripted-server.js';
import { watchUncaught } from '../test/uncaught.js';
import type { SubscriptionMessage, WebSocketClient, WebSocketConstructor } from './index.js';
import { useSubscription } from './react.js';

interface RoomProps {
  readonly client: WebSocketClient | undefined;
  readonly name: string;
  readonly onMessage?: (message: SubscriptionMessage) => void;
}

function Room({ client, name, onMessage }: RoomProps) {
  const channel = `/default/${name}`;
  const { status } = useSubscription(client, channel, (message) => onMessage?.(message));
  return createElement('p', null, status);
}

/** Opens a client of a page. */
function openClient(server: ScriptedServer): Promise<WebSocketClient> {
  return open(server, { WebSocket: WebSocket as unknown as WebSocketConstructor });
}

/** Runs work and the effects that it causes. Updates at other times, by frames, need no `act`. */
async function acting(work: () => void): Promise<void> {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  await act(async () => work());
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
}

/** Mounts the component under StrictMode, which mounts it twice. */
function mount() {
  const container = document.body.appendChild(document.createElement('div'));
  const root = createRoot(container);
  return {
    render: (props: RoomProps) =>
      acting(() => root.render(createElement(StrictMode, null, createElement(Room, props)))),
    unmount: () => acting(() => root.unmount()),
    text: () => container.textContent,
  };
}

/** Returns the channels that the server has subscriptions of. */
function liveChannels({ peers }: ScriptedServer): unknown[] {
  const live = new Map<unknown, unknown>();
  for (const { type, id, channel } of peers.at(-1)?.frames ?? []) {
    if (type === 'subscribe') live.set(id, channel);
    if (type === 'unsubscribe') live.delete(id);
  }
  return [...live.values()];
}

describe('the hook', () => {
  it('keeps one subscription while its channel changes 250 times under StrictMode', async () => {
    const server = await startScripted();
    const client = await openClient(server);
    const events: string[] = [];
    const onMessage = ({ event }: SubscriptionMessage) => void events.push(event);
    const page = mount();
    for (let i = 0; i < 250; i += 1) await page.render({ client, name: `room-${i}`, onMessage });
    await expect.poll(() => liveChannels(server)).toEqual(['/default/room-249']);
    await expect.poll(page.text).toBe('subscribed');
    last(server).send({ type: 'data', id: idOf(last(server)), event: '1' });
    await expect.poll(() => events).toEqual(['1']);
    await page.unmount();
    await expect.poll(() => liveChannels(server)).toEqual([]);
  });

  it('delivers each event once, to the function of the last render', async () => {
    const server = await startScripted();
    const client = await openClient(server);
    const page = mount();
    const seen: string[] = [];
    for (const render of ['first', 'second']) {
      const onMessage = ({ event }: SubscriptionMessage) => void seen.push(`${render} ${event}`);
      await page.render({ client, name: 'a', onMessage });
    }
    await expect.poll(page.text).toBe('subscribed');
    await expect.poll(() => liveChannels(server)).toEqual(['/default/a']);
    last(server).send({ type: 'data', id: idOf(last(server)), event: '1' });
    last(server).send({ type: 'data', id: idOf(last(server)), event: '2' });
    await expect.poll(() => seen).toEqual(['second 1', 'second 2']);
    await page.unmount();
  });

  it('that is unmounted before the server has acknowledged leaves nothing behind', async () => {
    const uncaught = watchUncaught();
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'subscribe') agreeable(frame, peer);
    });
    const client = await openClient(server);
    const page = mount();
    const seen: string[] = [];
    const onMessage = ({ event }: SubscriptionMessage) => void seen.push(event);
    await page.render({ client, name: 'a', onMessage });
    await expect.poll(() => liveChannels(server)).toEqual(['/default/a']);
    await page.unmount();
    const id = idOf(last(server));
    last(server).send({ type: 'subscribe_success', id });
    last(server).send({ type: 'data', id, event: '1' });
    await expect.poll(() => liveChannels(server)).toEqual([]);
    await client.publish('/default/a', ['2']);
    expect(seen).toEqual([]);
    expect(uncaught).toEqual([]);
  });

  it('waits for a client, and reports a refusal, now or after a reconnect', async () => {
    const server = await startScripted();
    const client = await openClient(server);
    const page = mount();
    await page.render({ client: undefined, name: 'a' });
    expect(page.text()).toBe('idle');
    await page.render({ client, name: 'a' });
    await expect.poll(page.text).toBe('subscribed');
    server.script = (frame, peer) =>
      frame.type === 'subscribe'
        ? peer.send({ type: 'subscribe_error', id: frame.id, errors: [{ errorType: 'Forbidden' }] })
        : agreeable(frame, peer);
    last(server).cut();
    await expect.poll(page.text).toBe('failed');
    server.script = agreeable;
    await page.render({ client, name: 'b' });
    await expect.poll(page.text).toBe('subscribed');
    client.close();
    await expect.poll(page.text).toBe('idle');
    await page.render({ client, name: 'c' });
    expect(page.text()).toBe('failed');
    await page.unmount();
  });

  it('reports an error of its own function', async () => {
    const uncaught = watchUncaught();
    const server = await startScripted();
    const client = await openClient(server);
    const page = mount();
    onTestFinished(page.unmount);
    const onMessage = () => {
      throw new Error('of the application');
    };
    await page.render({ client, name: 'a', onMessage });
    await expect.poll(page.text).toBe('subscribed');
    await expect.poll(() => liveChannels(server)).toEqual(['/default/a']);
    last(server).send({ type: 'data', id: idOf(last(server)), event: '1' });
    await expect.poll(page.text).toBe('failed');
    expect(uncaught.map(String)).toEqual(['Error: of the application']);
  });
});
