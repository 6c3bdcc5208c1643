import type { IncomingMessage } from 'node:http';
import type { RealtimeServer } from '@posthaste/appsync-server';
import { requestInvalid } from '@posthaste/callbacks';
import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../app.js';
import { answersOptions } from '../../http/cors.js';

const path = '/event';
const tags = ['Realtime'];
/** Longest wait for the server of a gateway that has just started, in ms. */
const maxStartMs = 5_000;
/**
 * The protocol has its own credentials, per operation (realtime/platform-authorizer.ts), and counts
 * operations by them. Its own limits hold under overload: clients that are refused come again.
 */
const access = {
  scope: 'public',
  application: 'none',
  audit: 'none',
  rateLimit: false,
  answersUnderLoad: true,
} as const;

/** Server of the protocol, as its routes use it. */
export interface ChannelServer {
  readonly server: Pick<RealtimeServer, 'handlePublish' | 'handleUpgrade'>;
  /** Resolves when the server can take operations. */
  readonly ready: Promise<void>;
  /** Says from which address a request comes. */
  setAddress(request: IncomingMessage, address: string): void;
}

/** Adds `/event` and `/event/realtime`: AppSync Events, for clients of that protocol. */
export function channelRoutes(app: App, channels: ChannelServer): void {
  const { server } = channels;
  const publish = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    await requireReady(channels);
    channels.setAddress(request.raw, request.ip);
    reply.hijack();
    await server.handlePublish(request.raw, reply.raw);
  };
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
    publish,
  );
  const preflight = { ...access, cors: answersOptions };
  app.options(path, { config: preflight, schema: { hide: true } }, publish);
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
    async (request, reply) => {
      const { upgrades } = request.server;
      if (!upgrades.isUpgrade(request)) {
        throw requestInvalid([{ field: 'headers.upgrade', message: 'must ask for a WebSocket' }]);
      }
      await requireReady(channels);
      channels.setAddress(request.raw, request.ip);
      const { socket, head } = upgrades.takeOver(request, reply);
      server.handleUpgrade(request.raw, socket, head);
      return reply;
    },
  );
}

/** Waits for a gateway that has just started. @throws PlatformError `DATABASE_UNAVAILABLE` */
async function requireReady({ ready }: ChannelServer): Promise<void> {
  if (await settlesWithin(ready, maxStartMs)) return;
  const message = 'realtime has not begun, because the database has not answered yet; try again';
  throw new PlatformError('DATABASE_UNAVAILABLE', message);
}
