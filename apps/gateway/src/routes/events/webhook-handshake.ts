import { requestInvalid } from '@posthaste/callbacks';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { answersOptions } from '../../http/cors.js';

const allowedMethods = 'GET, OPTIONS, POST';
/** Name of a sender: visible ASCII, no longer than a name of DNS. */
const originPattern = /^[!-~]{1,253}$/;
const ratePattern = /^[1-9]\d{0,8}$/;

const Headers = Type.Object({
  'webhook-request-origin': Type.Optional(
    Type.String({
      description: 'The DNS name of the sender that asks for permission.',
      examples: ['sender.example.com'],
    }),
  ),
  'webhook-request-rate': Type.Optional(
    Type.String({ description: 'The wanted rate, in requests per minute.', examples: ['120'] }),
  ),
});

interface HandshakeRoute {
  Headers: Static<typeof Headers>;
}

/**
 * Adds `OPTIONS /v1/events`: senders of webhooks ask whether they may send here (§4 of the HTTP
 * webhook specification of CloudEvents). Every sender may: its requests need an API key as any other.
 * The URL in `WebHook-Request-Callback` is not called, because anybody could name any address.
 */
export function webhookHandshakeRoutes(app: App): void {
  app.options<HandshakeRoute>(
    '/v1/events',
    {
      config: {
        scope: 'public',
        application: 'none',
        errors: ['REQUEST_INVALID'],
        cors: answersOptions,
      },
      validatorCompiler: () => () => true,
      schema: {
        tags: ['Events'],
        operationId: 'allowWebhooks',
        summary: 'Ask for permission to send events',
        description:
          'The validation request of webhook senders (https://github.com/cloudevents/spec, HTTP 1.1 Web Hooks for Event Delivery, section 4). The answer names the sender in `WebHook-Allowed-Origin`, and in `WebHook-Allowed-Rate` the rate that it asked for, or `*`. Events still need an API key. `WebHook-Request-Callback` is not called.',
        headers: Headers,
        response: { 200: Type.Null({ description: 'The permission, in headers.' }) },
      },
    },
    (request, reply) => {
      const { 'webhook-request-origin': origin, 'webhook-request-rate': rate } = request.headers;
      reply.header('allow', allowedMethods);
      if (origin !== undefined) {
        check('webhook-request-origin', originPattern.test(origin), 'must be the name of a sender');
        const isRate = rate === undefined || ratePattern.test(rate);
        check('webhook-request-rate', isRate, 'must be a number of requests per minute');
        reply.header('webhook-allowed-origin', origin).header('webhook-allowed-rate', rate ?? '*');
      }
      return reply.code(200).send();
    },
  );
}

function check(header: string, isValid: boolean, message: string): void {
  if (!isValid) throw requestInvalid([{ field: `header.${header}`, message }]);
}
