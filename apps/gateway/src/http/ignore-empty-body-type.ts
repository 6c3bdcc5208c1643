import type { IncomingHttpHeaders } from 'node:http';
import type { RequestStep } from './request-steps.js';

/**
 * Lets requests without a body say what kind of body it is: some clients send a Content-Type with
 * every request. It would be refused, as no kind that the route takes, or as JSON that is empty.
 * Routes that take a body say so themselves.
 */
export const ignoreEmptyBodyType: RequestStep = (request) => {
  const { headers } = request.raw;
  if (headers['content-type'] === undefined || !isEmpty(headers)) return undefined;
  if (request.routeOptions.schema?.body === undefined) delete headers['content-type'];
  return undefined;
};

function isEmpty({
  'content-length': length = '0',
  'transfer-encoding': coding,
}: IncomingHttpHeaders): boolean {
  return length === '0' && coding === undefined;
}
