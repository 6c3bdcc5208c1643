import { requestInvalid } from '@posthaste/callbacks';
import type { App } from '../../app.js';

/** Refuses queries with a NUL character, because Postgres fails on text that contains one. */
export function refuseNulInQuery(app: App): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const [, query = ''] = request.url.split('?', 2);
    done(query.includes('%00') ? requestInvalid([nulFault]) : undefined);
  });
}

const nulFault = { field: 'query', message: 'contains a NUL character' };
