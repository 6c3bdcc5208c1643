import type { StoredNamespace } from '@posthaste/appsync-server/postgres';
import { expect, it } from 'vitest';
import { GatewayNamespaces } from './namespaces.js';

const mirror: StoredNamespace = { name: 'posthaste', history: 0 };

/** Namespaces of the database: own ones by application and name, and shared ones. */
function stored(own: Record<string, number>, shared: Record<string, number>) {
  const of = (name: string, history: number | undefined): StoredNamespace | undefined =>
    history === undefined ? undefined : { name, history };
  return {
    findOwn: (realm: string, name: string) => of(name, own[`${realm}/${name}`]),
    findShared: (name: string) => of(name, shared[name]),
  };
}

it('prefers namespaces of the application, and of two that are alike that of the file', () => {
  const database = stored({ 'shop/a': 1, 'shop/b': 2, '/b': 3 }, { a: 4, b: 5, c: 6, d: 7 });
  const namespaces = new GatewayNamespaces(
    database,
    [
      { name: 'a', application: 'shop', history: 10 },
      { name: 'b', history: 11 },
      { name: 'c', history: 12 },
      { name: 'e', application: '', history: 13 },
    ],
    mirror,
  );
  const historyOf = (realm: string, name: string) => namespaces.find(realm, name)?.history;
  expect(['a', 'b', 'c', 'd', 'e'].map((name) => historyOf('shop', name))).toEqual([
    ...[10, 2, 12, 7, undefined],
  ]);
  expect(['a', 'b', 'c', 'd', 'e'].map((name) => historyOf('pay', name))).toEqual([
    ...[4, 11, 12, 7, undefined],
  ]);
  // The application without a name is no other than the rest.
  expect(['a', 'b', 'c', 'e'].map((name) => historyOf('', name))).toEqual([4, 3, 12, 13]);
  expect(namespaces.find('shop', 'posthaste')).toBe(mirror);
});
