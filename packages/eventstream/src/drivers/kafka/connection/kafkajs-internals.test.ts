import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { loadKafkajsInternals, requestLookupOf } from './kafkajs-internals.js';

const load = createRequire(import.meta.url);

/** As if kafkajs had changed this module. */
function loadWith(changed: string, replacement: unknown): (module: string) => unknown {
  return (module) => (module === changed ? replacement : load(module));
}

describe('what is used of kafkajs beyond its public API', () => {
  it('is there in the version that is installed', () => {
    const { createErrorFromCode, requestQueue } = loadKafkajsInternals();
    expect(createErrorFromCode(10)).toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
    expect(requestQueue.scheduleCheckPendingRequests).toBeTypeOf('function');
  });

  it.each([
    ['kafkajs/src/protocol/error', {}, 'createErrorFromCode'],
    ['kafkajs/src/protocol/error', undefined, 'createErrorFromCode'],
    ['kafkajs/src/broker', class {}, 'joinGroup, leaveGroup'],
  ])('is told by name when %s lacks it', (module, replacement, missing) => {
    expect(() => loadKafkajsInternals(loadWith(module, replacement))).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringMatching(
          new RegExp(`${missing}.* of ${module}: install .*2\\.2\\.4`),
        ),
      }),
    );
  });

  it('is told by its module when that is gone', () => {
    const gone = (module: string): unknown => load(module.replace('/network/', '/gone/'));
    expect(() => loadKafkajsInternals(gone)).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringContaining('lacks kafkajs/src/network/requestQueue'),
      }),
    );
  });

  it('is told also when brokers come without it', () => {
    expect(() => requestLookupOf({})).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringContaining('lacks lookupRequest of its brokers'),
      }),
    );
  });

  it('is of the version that the package pins', () => {
    const { dependencies } = load('../../../../package.json') as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const { version } = load('kafkajs/package.json') as { readonly version: string };
    expect([dependencies.kafkajs, version]).toEqual(['2.2.4', '2.2.4']);
  });
});
