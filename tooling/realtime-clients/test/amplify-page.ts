/** Script of a page that uses AWS Amplify, with a short-lived token that the backend of the page makes. */

import { Amplify } from 'aws-amplify-6-22';
import { events } from 'aws-amplify-6-22/data';

declare const document: { getElementById(id: string): { textContent: string } };

const channel = '/default/amplify';
const { endpoint } = (await (await fetch('/settings.json')).json()) as { endpoint: string };

Amplify.configure(
  { API: { Events: { endpoint, region: 'eu-west-1', defaultAuthMode: 'oidc' } } },
  { Auth: { tokenProvider: { getTokens } } },
);

async function getTokens() {
  const token = await (await fetch('/token')).text();
  return { accessToken: { payload: {}, toString: () => token } };
}

const seen: string[] = [];
const room = await events.connect(channel);
const subscription = room.subscribe({
  next: ({ event }) => show(JSON.stringify(event)),
  error: (error) => show(JSON.stringify(error)),
});
await subscription.ready;
await room.publish({ over: 'websocket' });
await events.post(channel, { over: 'http' });

function show(text: string): void {
  seen.push(text);
  document.getElementById('root').textContent = seen.join(' ');
}
