import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, it, onTestFinished } from 'vitest';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { connect, createApiKeyConfig } from './index.js';

interface Greeting {
  readonly text: string;
}

/** Validator as libraries of the Standard Schema make them. */
const greeting: StandardSchemaV1<unknown, Greeting> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate(value) {
      const isGreeting = typeof value === 'object' && value !== null && 'text' in value;
      return isGreeting ? { value: value as Greeting } : { issues: [{ message: 'has no text' }] };
    },
  },
};

describe('a typed channel', () => {
  it('yields valid events, and others as items', async () => {
    const server = await startScripted((frame, peer) => {
      agreeable(frame, peer);
      if (frame.type !== 'subscribe') return;
      for (const event of ['{"text":"a"}', '{"n":1}', '{']) {
        peer.send({ type: 'data', id: frame.id, event });
      }
    });
    const client = await connect(
      createApiKeyConfig(server.endpoint, undefined, 'k', {
        httpProtocol: 'http',
        webSocketProtocol: 'ws',
      }),
    );
    onTestFinished(() => client.close());
    const channel = client.channel('/default/a', greeting);
    const seen = [];
    for await (const item of channel.subscribe()) {
      seen.push(item.type === 'data' ? item.event.text : item.type);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(['a', 'invalid', 'invalid']);
    await channel.publish([{ text: 'b' }]);
    await expect(channel.publish([{ text: 'c' }, null as never])).rejects.toMatchObject({
      reason: 'type_assertion',
    });
    const published = server.peers[0]?.frames.filter(({ type }) => type === 'publish');
    expect(published?.map(({ events }) => events)).toEqual([['{"text":"b"}']]);
  });
});
