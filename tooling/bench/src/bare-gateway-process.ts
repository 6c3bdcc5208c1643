/** Program: a Fastify route that parses and validates a callback, and responds with 201. */

import { fastify } from 'fastify';

const schema = {
  body: {
    type: 'object',
    required: ['url'],
    properties: {
      url: { type: 'string', maxLength: 2048 },
      method: { enum: ['GET', 'POST', 'PUT'] },
      postdata: {
        type: 'object',
        properties: {
          headers: { type: 'object', additionalProperties: { type: 'string' } },
          data: { type: ['string', 'null'] },
        },
      },
      retryphases: {
        type: 'array',
        items: {
          type: 'object',
          required: ['retries', 'delay'],
          properties: { retries: { type: 'integer' }, delay: { type: 'integer' } },
        },
      },
      applicationid: { type: 'string' },
      queueid: { type: 'string' },
    },
  },
  response: { 201: { type: 'object', properties: { id: { type: 'string' } } } },
};

const app = fastify();
let accepted = 0;
app.post('/callback', { schema }, (_request, reply) => {
  accepted += 1;
  return reply.code(201).send({ id: String(accepted) });
});

const origin = await app.listen({ host: '127.0.0.1', port: 0 });
process.once('SIGTERM', () => process.exit());
process.once('disconnect', () => process.exit());
process.send?.({ callbackUrl: `${origin}/callback` });
