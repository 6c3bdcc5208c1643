import { describe, expect, it, onTestFinished } from 'vitest';
import { framesOf, last, open, plain } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { connect, createConfig } from './index.js';

describe('a credential that the server refuses', () => {
  it('is renewed for the subscribe or the publish, on the same connection', async () => {
    const errors = [{ errorType: 'UnauthorizedException', errorCode: 401 }];
    let valid = 'first';
    const server = await startScripted((frame, peer) => {
      const { type, id, authorization } = frame;
      const isFine = authorization === undefined || authorization.Authorization === valid;
      if (isFine) return agreeable(frame, peer);
      return peer.send({ type: `${type}_error`, id, errors });
    });
    let token = 'first';
    const asked: boolean[] = [];
    const config = createConfig(
      [server.endpoint, undefined],
      ({ isRefused }) => {
        asked.push(isRefused);
        if (isRefused) token = valid;
        return { Authorization: token };
      },
      plain,
    );
    const client = await connect(config);
    onTestFinished(() => client.close());
    valid = 'second';
    await client.subscribe('/default/a').ready;
    valid = 'third';
    expect(await client.publish('/default/a', ['1'])).toMatchObject({ successIndexes: [0] });
    expect(asked).toEqual([false, false, true, false, true]);
    expect(server.peers).toHaveLength(1);
  });

  it('fails the operation if the renewed one is refused too, or is the same', async () => {
    const errors = [{ errorType: 'UnauthorizedException' }];
    const server = await startScripted((frame, peer) =>
      frame.type === 'connection_init'
        ? agreeable(frame, peer)
        : peer.send({ type: `${frame.type}_error`, id: frame.id, errors }),
    );
    let renewals = 0;
    const config = createConfig(
      [server.endpoint, undefined],
      ({ isRefused }) => {
        if (isRefused) renewals += 1;
        return { Authorization: `token ${renewals}` };
      },
      plain,
    );
    const client = await connect(config);
    onTestFinished(() => client.close());
    await expect(client.publish('/default/a', ['1'])).rejects.toMatchObject({ errors });
    await expect(client.subscribe('/default/a').ready).rejects.toMatchObject({ errors });
    expect(renewals).toBe(2);
    expect(framesOf(last(server), 'publish')).toHaveLength(2);
    const fixed = await open(server);
    await expect(fixed.publish('/default/a', ['1'])).rejects.toMatchObject({ errors });
    expect(framesOf(last(server), 'publish')).toHaveLength(1);
  });

  it('is not renewed if the server denies what a valid one asks for', async () => {
    const errors = [{ errorType: 'UnauthorizedException', errorCode: 403 }];
    const server = await startScripted((frame, peer) =>
      frame.type === 'publish'
        ? peer.send({ type: 'publish_error', id: frame.id, errors })
        : agreeable(frame, peer),
    );
    let next = 0;
    const authorize = () => {
      next += 1;
      return { Authorization: `token ${next}` };
    };
    const client = await connect(createConfig([server.endpoint, undefined], authorize, plain));
    onTestFinished(() => client.close());
    await expect(client.publish('/default/a', ['1'])).rejects.toMatchObject({ errors });
    expect(framesOf(last(server), 'publish')).toHaveLength(1);
  });
});
