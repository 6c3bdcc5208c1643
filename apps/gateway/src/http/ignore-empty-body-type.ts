import type { IncomingHttpHeaders } from 'node:http';
import { mayLackBody } from './json-body.js';
import type { RequestStep } from './request-steps.js';

/**
 * Removes the Content-Type of requests without a body, because some clients send one with every
 * request. Fastify would refuse such a request: the route does not take that type, or the JSON is
 * empty. Routes that need a body keep the header and refuse an empty body themselves.
 */
export const ignoreEmptyBodyType: RequestStep = (request) => {
  const { headers } = request.raw;
  if (headers['content-type'] === undefined || !isEmpty(headers)) return undefined;
  if (mayLackBody(request)) delete headers['content-type'];
  return undefined;
};

function isEmpty({
  'content-length': length = '0',
  'transfer-encoding': coding,
}: IncomingHttpHeaders): boolean {
  return length === '0' && coding === undefined;
}
