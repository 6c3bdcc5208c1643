// @vitest-environment jsdom
import { act, createElement, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startScripted } from '../test/scripted-server.js';
import {
  connect,
  createApiKeyConfig,
  type WebSocketClient,
  type WebSocketConstructor,
} from './index.js';
import { useSubscription } from './react.js';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
const plain = { httpProtocol: 'http', webSocketProtocol: 'ws' } as const;

interface RoomProps {
  readonly client: WebSocketClient;
  readonly name: string;
  readonly onEvent: (event: string) => void;
}

function Room({ client, name, onEvent }: RoomProps) {
  const { status } = useSubscription(client, `/default/${name}`, ({ event }) => onEvent(event));
  return createElement('p', null, status);
}

describe('the hook', () => {
  it('keeps one subscription while its channel changes 250 times under StrictMode', async () => {
    const server = await startScripted();
    const config = createApiKeyConfig(server.endpoint, undefined, 'k', plain);
    const client = await connect(config, {
      WebSocket: WebSocket as unknown as WebSocketConstructor,
    });
    onTestFinished(() => client.close());
    const events: string[] = [];
    const onEvent = (event: string) => void events.push(event);
    const container = document.body.appendChild(document.createElement('div'));
    const root = createRoot(container);
    const render = (name: string) =>
      act(() =>
        root.render(
          createElement(StrictMode, null, createElement(Room, { client, name, onEvent })),
        ),
      );
    for (let i = 0; i < 250; i += 1) await render(`room-${i}`);
    const [peer] = server.peers;
    const live = () => {
      const ids = new Map<unknown, unknown>();
      for (const { type, id, channel } of peer?.frames ?? []) {
        if (type === 'subscribe') ids.set(id, channel);
        if (type === 'unsubscribe') ids.delete(id);
      }
      return [...ids];
    };
    await expect
      .poll(live, { timeout: 20_000 })
      .toEqual([[expect.anything(), '/default/room-249']]);
    const [[id] = []] = live();
    await expect.poll(() => act(() => container.textContent)).toBe('subscribed');
    peer?.send({ type: 'data', id, event: '1' });
    await expect.poll(() => events).toEqual(['1']);
    await act(() => root.unmount());
    await expect.poll(live).toEqual([]);
  });
});
