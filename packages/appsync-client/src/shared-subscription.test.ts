import { describe, expect, it } from 'vitest';
import { framesOf, idOf, last, open, reasonOf, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';

describe('extensions of the protocol', () => {
  it('shows members and their changes, to those who ask for presence', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type === 'connection_init') {
        return peer.send({ type: 'connection_ack', extensions: frame.extensions });
      }
      return agreeable(frame, peer);
    });
    const client = await open(server, { extensions: ['presence', 'channel'] });
    const presence = { member: 'ann', data: { n: 1 } };
    const subscription = client.subscribe('/default/a', { presence });
    await subscription.ready;
    expect(framesOf(last(server), 'subscribe')).toMatchObject([{ presence }]);
    expect(() => client.subscribe('/default/a', { presence: {} })).toThrow(
      reasonOf('subscription_called'),
    );
    const id = idOf(last(server));
    const members = [{ member: 'bob' }, { member: 'ann', data: { n: 1 } }];
    last(server).send({ type: 'presence', id, event: 'members', members: [...members, null] });
    last(server).send({ type: 'presence', id, event: 'leave', member: 'bob' });
    last(server).send({ type: 'presence', id, event: 'something new' });
    last(server).send({ type: 'data', id, event: '1', channel: '/default/a' });
    expect(await take(subscription, 3)).toEqual([
      { type: 'presence', event: '', presence: { change: 'members', members } },
      { type: 'presence', event: '', presence: { change: 'leave', members: [{ member: 'bob' }] } },
      { type: 'data', event: '1', channel: '/default/a' },
    ]);
  });

  it('asks AWS, which announces no extensions, for none', async () => {
    const server = await startScripted();
    const client = await open(server, { extensions: ['presence', 'resume'] });
    await client.subscribe('/default/a', { presence: {} }).ready;
    expect(framesOf(last(server), 'subscribe')[0]).not.toHaveProperty('presence');
    await open(server);
    expect(last(server).frames[0]).toEqual({ type: 'connection_init' });
  });
});
