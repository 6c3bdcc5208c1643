import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { AuthorizerEvent } from '@posthaste/appsync-server';

/** Webhook authorizer that knows one token. */
export interface Webhook {
  readonly url: string;
  /** Operations that it was asked about for a channel, each once. */
  asked(channel: string): string[];
  close(): Promise<void>;
}

/** Starts a webhook authorizer that lets in whoever has the token. */
export async function startWebhook(token: string): Promise<Webhook> {
  const events: AuthorizerEvent[] = [];
  const server = createServer(async (request, response) => {
    const event = (await json(request)) as AuthorizerEvent;
    events.push(event);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ isAuthorized: event.authorizationToken === token }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/authorize`,
    asked(channel) {
      const contexts = events.map(({ requestContext }) => requestContext);
      const ofChannel = contexts.filter((context) => context.channel === channel);
      return [...new Set(ofChannel.map(({ operation }) => operation))];
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
