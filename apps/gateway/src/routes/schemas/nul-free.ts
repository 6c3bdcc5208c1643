import { requestInvalid } from '@posthaste/callbacks';
import type { App } from '../../app.js';

/** Refuses a NUL in the query: the database has no text with one, and so no name to look for. */
export function refuseNul(app: App): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const [, query = ''] = request.url.split('?', 2);
    done(query.includes('%00') ? requestInvalid([nulFault]) : undefined);
  });
}

const nulFault = { field: 'query', message: 'has a NUL' };
