import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it } from 'vitest';
import { createApiKeyConfig, createConfig, createIamConfig, createLambdaConfig } from './config.js';

describe('addresses', () => {
  const urls = (http: string, realtime?: string) => {
    const config = createApiKeyConfig(http, realtime, 'k');
    return [config.httpUrl(), config.realtimeUrl()];
  };

  it('are hosts, to which the paths are appended', () => {
    expect(urls('a.example.com:8443/x', 'b.example.com')).toEqual([
      'https://a.example.com:8443/x/event',
      'wss://b.example.com/event/realtime',
    ]);
  });

  it('are full URLs', () => {
    expect(urls('http://localhost:8001/event')).toEqual([
      'http://localhost:8001/event',
      'ws://localhost:8001/event/realtime',
    ]);
    expect(urls('https://a.example.com/event', 'wss://b.example.com/event/realtime')).toEqual([
      'https://a.example.com/event',
      'wss://b.example.com/event/realtime',
    ]);
  });

  it('are derived as AWS names its hosts', () => {
    const id = 'abcdefghijklmnopqrstuvwxyz';
    expect(urls(`${id}.appsync-api.eu-west-1.amazonaws.com`)[1]).toBe(
      `wss://${id}.appsync-realtime-api.eu-west-1.amazonaws.com/event/realtime`,
    );
  });
});

describe('credentials', () => {
  it('may be a function that learns when the last one was refused', async () => {
    const asked: boolean[] = [];
    const config = createLambdaConfig('h', undefined, ({ isRefused }) => {
      asked.push(isRefused);
      return 'tökén';
    });
    const [, second = ''] = await config.subprotocols(true);
    const text = Buffer.from(second.slice('header-'.length), 'base64url').toString();
    expect(JSON.parse(text)).toEqual({ host: 'h', Authorization: 'tökén' });
    expect(asked).toEqual([true]);
    expect(
      await createConfig(['h', undefined], () => ({ a: 'b' })).authorize({
        ...{ operation: 'publish', body: '', isRefused: false },
      }),
    ).toEqual({ host: 'h', a: 'b' });
  });

  it.each([undefined, 'session-token'])(
    'are signed as an independent signer does (%s)',
    async (sessionToken) => {
      const keys = {
        accessKeyId: 'AKIDEXAMPLE',
        secretAccessKey: 'secret',
        ...(sessionToken && { sessionToken }),
      };
      const host = 'abc.appsync-api.eu-central-1.amazonaws.com';
      const now = Date.UTC(2026, 0, 2, 3, 4, 5);
      const config = createIamConfig(host, undefined, keys, { now: () => now });
      const body = '{"channel":"/default/ä"}';
      const ours = await config.authorize({ operation: 'subscribe', body, isRefused: false });
      const { Authorization, ...headers } = ours;
      const signer = new SignatureV4({
        ...{ service: 'appsync', region: 'eu-central-1', credentials: keys, sha256: Sha256 },
        applyChecksum: false,
      });
      const signed = await signer.sign(
        { method: 'POST', protocol: 'https:', hostname: host, path: '/event', headers, body },
        { signingDate: new Date(now) },
      );
      expect(Authorization).toBe(signed.headers.authorization);
    },
  );
});
