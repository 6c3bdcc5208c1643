import type { RealtimeServer } from '@posthaste/appsync-server';
import { requestInvalid } from '@posthaste/callbacks';
import { WebSocketServer } from 'ws';
import type { App } from '../../app.js';
import { RouteUpgrades } from '../listen/upgrades.js';

const path = '/event';
const tags = ['Realtime'];
/** The protocol has its own credentials, per operation: realtime/platform-authorizer.ts. */
const access = { scope: 'public', application: 'none', audit: 'none' } as const;

/** Adds `/event` and `/event/realtime`: AppSync Events, for clients of that protocol. */
export function channelRoutes(
  app: App,
  server: Pick<RealtimeServer, 'handlePublish' | 'handleUpgrade'>,
): void {
  const upgrades = new RouteUpgrades(new WebSocketServer({ noServer: true }));
  upgrades.attach(app, `${path}/realtime`);
  // The server of the protocol reads the body itself: Amplify names an encoding that is none.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.post(
    path,
    {
      config: { ...access, errors: ['REALTIME_REFUSED'] },
      schema: {
        tags,
        operationId: 'publishToChannel',
        summary: 'Publish to a realtime channel',
        description:
          'Takes `{"channel","events"}` with up to five JSON texts, as AWS AppSync Events does, and answers in its form. The credential is an API key or a token with the scope realtime:publish, as `x-api-key` or `Authorization`.',
      },
    },
    async (request, reply) => {
      reply.hijack();
      await server.handlePublish(request.raw, reply.raw);
    },
  );
  app.options(path, { config: access, schema: { hide: true } }, async (request, reply) => {
    reply.hijack();
    await server.handlePublish(request.raw, reply.raw);
  });
  app.get(
    `${path}/realtime`,
    {
      exposeHeadRoute: false,
      config: { ...access, errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'openChannels',
        summary: 'Open realtime channels, over a WebSocket',
        description:
          'Speaks the protocol of AWS AppSync Events. The credential is in the subprotocol `header-…`, or in headers of the upgrade.',
      },
    },
    (request, reply) => {
      if (!upgrades.isUpgrade(request)) {
        throw requestInvalid([{ field: 'headers.upgrade', message: 'must ask for a WebSocket' }]);
      }
      reply.hijack();
      upgrades.handOver(request, reply.raw, (socket, head) =>
        server.handleUpgrade(request.raw, socket, head),
      );
      return reply;
    },
  );
}
