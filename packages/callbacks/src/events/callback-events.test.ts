import { readFile } from 'node:fs/promises';
import { callbackEventNames, callbackEventTopic, newId } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { toDisabledEvent } from './callback-events.js';

it('builds the event about a disabled endpoint', () => {
  const id = newId();
  expect(toDisabledEvent({ id, application: 'shop', reason: 'gone' })).toMatchObject({
    topic: callbackEventTopic,
    key: id,
    envelope: {
      name: 'endpoint.disabled',
      namespace: 'shop',
      payload: { endpointId: id, reason: 'gone' },
    },
  });
});

it('describes every event in the README', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, section = ''] = readme.split('\n## Events\n');
  const described = [...section.matchAll(/^\| `([a-z]+\.[a-z]+)` /gm)].map(([, name]) => name);
  expect(described).toEqual([...callbackEventNames]);
});
