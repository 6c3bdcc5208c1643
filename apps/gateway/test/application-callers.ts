import type { Applications } from '@posthaste/contracts';
import type { Call } from './caller.js';
import { openTestCallbacks, type TestCallbacks } from './test-callbacks.js';
import { type TestKey, testKeys } from './test-server.js';

/** Server with the routes of callbacks that needs keys, and a caller for each key. */
export interface ApplicationCallers {
  readonly gateway: TestCallbacks;
  /** Has the application `shop`. */
  readonly shop: Call;
  /** Has the application `bank`. */
  readonly bank: Call;
  /** Has both. */
  readonly both: Call;
  /** Has all. */
  readonly all: Call;
}

/** Opens the server; the default application is `main`. */
export async function openApplicationCallers(): Promise<ApplicationCallers> {
  const key = (name: string, applications: Applications): TestKey => ({
    id: name,
    name,
    scopes: ['admin'],
    applications,
  });
  const keys = testKeys({
    shop: key('shop', ['shop']),
    bank: key('bank', ['bank']),
    both: key('both', ['shop', 'bank']),
    all: key('all', 'all'),
  });
  const environment = { POSTHASTE_ACCESS: 'keys', POSTHASTE_DEFAULT_APPLICATION: 'main' };
  const gateway = await openTestCallbacks({}, { keys }, environment);
  const callerOf = (token: string): Call => gateway.call.with({ authorization: `Bearer ${token}` });
  return {
    gateway,
    shop: callerOf('shop'),
    bank: callerOf('bank'),
    both: callerOf('both'),
    all: callerOf('all'),
  };
}

/** Returns the answer to a request, without the id of the request; `id` is `<id>` in it. */
export async function problemOf(
  call: Call,
  [method, url, body]: readonly [
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
  ],
  id = '<id>',
): Promise<object> {
  const answer = await call<{ instance?: string }>(method, url, body);
  const { instance: _, ...problem } = answer.json ?? {};
  return {
    status: answer.status,
    problem: JSON.parse(JSON.stringify(problem).replaceAll(id, '<id>')),
    headers: Object.keys(answer.headers),
  };
}
