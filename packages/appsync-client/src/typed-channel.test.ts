import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { framesOf, idOf, last, open, reasonOf } from '../test/open-client.js';
import { startScripted } from '../test/scripted-server.js';
import type { ParsedEvent } from './index.js';

interface Greeting {
  readonly text: string;
}

/** Validator without a library, which does not name its types. */
const greeting: StandardSchemaV1<Greeting> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate(value) {
      const isGreeting = typeof (value as Greeting | null)?.text === 'string';
      return isGreeting ? { value: value as Greeting } : { issues: [{ message: 'has no text' }] };
    },
  },
};

const validators = {
  zod: z.object({ text: z.string() }),
  valibot: v.object({ text: v.string() }),
  'no library': greeting,
};

/** Opens a client and its server. */
async function start() {
  const server = await startScripted();
  return { server, client: await open(server) };
}

/** Takes items until there are `count`. */
async function take<Event>(items: AsyncIterable<ParsedEvent<Event>>, count: number) {
  const taken: ParsedEvent<Event>[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

describe.each(Object.entries(validators))('a typed channel, validated by %s', (_, validator) => {
  it('is subscribed to at once, and has valid events and others as items', async () => {
    const { server, client } = await start();
    const subscription = client.channel('/default/a', validator).subscribe();
    await subscription.ready;
    const id = idOf(last(server));
    for (const event of ['{"text":"a"}', '{"text":1}', '{']) {
      last(server).send({ type: 'data', id, event });
    }
    const errors = [{ errorType: 'MessageProcessingError' }];
    last(server).send({ type: 'broadcast_error', id, errors });
    const items = await take(subscription, 4);
    const types = items.map(({ type }) => type);
    expect(types).toEqual(['data', 'invalid', 'invalid', 'broadcast_error']);
    expect(items[0]).toEqual({ type: 'data', event: { text: 'a' } });
    expect(items[2]).toMatchObject({ text: '{', error: expect.any(SyntaxError) });
    expect(items[3]).toMatchObject({ errors });
    expectTypeOf(subscription).toExtend<AsyncIterable<ParsedEvent<Greeting>>>();
  });

  it('publishes valid events only', async () => {
    const { server, client } = await start();
    const channel = client.channel('/default/a', validator);
    await channel.publish([{ text: 'b' }]);
    await expect(channel.publish([{ text: 'c' }, null as never])).rejects.toThrow(
      reasonOf('type_assertion'),
    );
    expect(framesOf(last(server), 'publish').map(({ events }) => events)).toEqual([
      ['{"text":"b"}'],
    ]);
  });
});

describe('a typed channel whose validator transforms', () => {
  const length = z.object({ text: z.string().transform((text) => text.length) });

  it('publishes what the validator takes, and yields what it makes of it', async () => {
    const { server, client } = await start();
    const channel = client.channel('/default/a', length);
    await using subscription = channel.subscribe();
    await subscription.ready;
    await channel.publish([{ text: 'abc' }]);
    const [frame] = framesOf(last(server), 'publish');
    last(server).send({ type: 'data', id: idOf(last(server)), event: frame?.events?.[0] });
    expect(await take(subscription, 1)).toEqual([{ type: 'data', event: { text: 3 } }]);
    expectTypeOf(channel.publish).parameter(0).toEqualTypeOf<readonly { text: string }[]>();
    expectTypeOf(subscription).toExtend<AsyncIterable<ParsedEvent<{ text: number }>>>();
  });

  it('counts what was dropped, and ends with `unsubscribe` or its scope', async () => {
    const { server, client } = await start();
    const channel = client.channel('/default/a', length);
    {
      await using subscription = channel.subscribe({ maxQueued: 1 });
      await subscription.ready;
      for (const event of ['1', '2', '3']) {
        last(server).send({ type: 'data', id: idOf(last(server)), event });
      }
      await expect.poll(() => subscription.dropped).toBe(2);
    }
    expect(framesOf(last(server), 'unsubscribe')).toHaveLength(1);
    const subscription = channel.subscribe();
    await subscription.ready;
    await subscription.unsubscribe();
    expect(framesOf(last(server), 'unsubscribe')).toHaveLength(2);
    await expect(subscription.unsubscribe()).rejects.toThrow(reasonOf('unsubscription_called'));
  });
});
