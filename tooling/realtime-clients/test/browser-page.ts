/** Script of a page: a component that shows what comes on a channel, under StrictMode. */

import { connect, createApiKeyConfig } from '@posthaste/appsync-client';
import { useSubscription } from '@posthaste/appsync-client/react';
import { createElement, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

declare const document: { getElementById(id: string): never };
declare const location: { host: string };
declare const window: { unmount?: () => void };

const plain = { httpProtocol: 'http', webSocketProtocol: 'ws' } as const;
const client = await connect(createApiKeyConfig(location.host, undefined, 'da2-page', plain));

function Room() {
  const [events, setEvents] = useState<readonly string[]>([]);
  const [channel, setChannel] = useState('/default/first');
  const { status } = useSubscription(client, channel, ({ event }) =>
    setEvents((before) => [...before, event]),
  );
  const publish = () => void client.publishJson(channel, [{ from: channel }]);
  return createElement(
    'main',
    null,
    createElement('p', { id: 'status' }, `${status} ${channel}`),
    createElement('p', { id: 'events' }, events.join(' ')),
    createElement('button', { id: 'publish', type: 'button', onClick: publish }, 'publish'),
    createElement(
      'button',
      { id: 'change', type: 'button', onClick: () => setChannel('/default/second') },
      'change',
    ),
  );
}

const root = createRoot(document.getElementById('root'));
root.render(createElement(StrictMode, null, createElement(Room)));
window.unmount = () => root.unmount();
