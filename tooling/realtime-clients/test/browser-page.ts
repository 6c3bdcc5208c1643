/**
 * Script of a page: a component that shows what comes on a channel, under StrictMode. Its credential is
 * a short-lived token, which the backend of the page makes.
 */

import { type ClientState, connect, createOidcConfig } from '@posthaste/appsync-client';
import { useSubscription } from '@posthaste/appsync-client/react';
import { createElement, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

declare const location: { search: string };
declare const document: { getElementById(id: string): never };
declare const XMLHttpRequest: new () => {
  open(method: string, url: string, isAsync: boolean): void;
  send(): void;
};
declare const window: {
  unmount?: () => void;
  hold?: () => void;
  states?: ClientState[];
};

/** Characters of an event that are shown. */
const shownLength = 40;

const { endpoint } = (await (await fetch('/settings.json')).json()) as { endpoint: string };

async function fetchToken(): Promise<string> {
  return (await fetch('/token')).text();
}

const states: ClientState[] = [];
const client = await connect(createOidcConfig(endpoint, undefined, fetchToken), {
  onState: (state) => states.push(state),
  extensions: location.search === '?resume' ? ['resume'] : [],
});

function Room() {
  const [events, setEvents] = useState<readonly string[]>([]);
  const [gaps, setGaps] = useState(0);
  const [channel, setChannel] = useState('/default/first');
  const { status } = useSubscription(client, channel, ({ type, event }) => {
    if (type === 'gap') setGaps((before) => before + 1);
    else setEvents((before) => [...before.slice(-3), event.slice(0, shownLength)]);
  });
  const publish = (over: 'websocket' | 'http') => () =>
    void client.publishJson(channel, [{ over }], { over });
  return createElement(
    'main',
    null,
    createElement('p', { id: 'status' }, `${status} ${channel}`),
    createElement('p', { id: 'gaps' }, gaps),
    createElement('p', { id: 'events' }, events.join(' ')),
    button('publish', publish('websocket')),
    button('post', publish('http')),
    button('change', () => setChannel('/default/second')),
  );
}

function button(id: string, onClick: () => void) {
  return createElement('button', { id, type: 'button', onClick }, id);
}

const root = createRoot(document.getElementById('root'));
root.render(createElement(StrictMode, null, createElement(Room)));
window.states = states;
window.unmount = () => root.unmount();
// A request of the old kind holds up the page until it is answered: it reads nothing meanwhile.
window.hold = () => {
  const request = new XMLHttpRequest();
  request.open('GET', '/hold', false);
  request.send();
};
