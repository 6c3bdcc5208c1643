import type { Database } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createPeopleDatabase,
  openTestPeople,
  type TestPeople,
} from '../../../test/test-people.js';

let db: Database;
let platform: TestPeople;

beforeAll(async () => {
  db = await createPeopleDatabase();
  platform = await openTestPeople(db);
});

afterAll(async () => {
  await platform.close();
  await db.close();
});

function post(token: string, body: object, url = '/v1/realtime/tokens') {
  const headers = { authorization: `Bearer ${token}` };
  return platform.app.inject({ method: 'POST', url, headers, payload: body });
}

describe('POST /v1/realtime/tokens', () => {
  it('makes a token for channels of one application, for a quarter of an hour', async () => {
    const { token } = await platform.createKey({
      applications: ['shop'],
      scopes: ['realtime:subscribe', 'realtime:publish'],
    });
    const answer = await post(token, { channels: ['/default/*'], rights: ['subscribe'] });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({
      applications: ['shop'],
      channels: ['/default/*'],
      scopes: ['realtime:subscribe'],
    });
    const left = Date.parse(answer.json().expiresAt) - Date.now();
    expect(Math.abs(left - 900_000)).toBeLessThan(60_000);
  });

  it('makes none with rights or channels that its maker lacks', async () => {
    const maker = { applications: ['shop'], scopes: ['realtime:subscribe'] } as const;
    const { token } = await platform.createKey({ ...maker, channels: ['/chat/*'] });
    const ask = async (body: object) => {
      const answer = await post(token, { channels: ['/chat/a'], rights: ['subscribe'], ...body });
      return answer.statusCode === 201 ? 201 : answer.json().code;
    };
    expect(await ask({})).toBe(201);
    expect(await ask({ rights: ['publish'] })).toBe('SCOPE_MISSING');
    expect(await ask({ channels: ['/chat/a', '/news'] })).toBe('CHANNEL_FORBIDDEN');
    expect(await ask({ channels: ['/*'] })).toBe('REQUEST_INVALID');
    expect(await ask({ channels: ['no slash'] })).toBe('REQUEST_INVALID');
    expect(await ask({ application: 'pay' })).toBe('APPLICATION_FORBIDDEN');
  });

  it('makes tokens without channels of their own that have those of the key', async () => {
    const { token } = await platform.createKey({
      ...{ applications: ['shop'], scopes: ['realtime:subscribe'], channels: ['/chat/*'] },
    });
    const body = { name: 'x', scopes: ['realtime:subscribe'] };
    const made = await post(token, body, '/v1/tokens');
    const caller = await platform.authenticate(made.json().token);
    expect(caller).toMatchObject({ channels: ['/chat/*'] });
  });
});

describe('channels of keys', () => {
  it('are shown, checked, and never more than those of the key that creates them', async () => {
    const { token } = await platform.createKey({ scopes: ['admin'], channels: ['/chat/*'] });
    const create = (channels?: unknown) =>
      post(token, { name: 'k', scopes: ['realtime:publish'], channels }, '/v1/keys');
    expect((await create(['/chat/a'])).json()).toMatchObject({ channels: ['/chat/a'] });
    expect((await create()).json()).toMatchObject({ channels: ['/chat/*'] });
    expect((await create(['/news'])).json()).toMatchObject({ code: 'KEY_EXCEEDS_CREATOR' });
    expect((await create(['/chat/*/a'])).statusCode).toBe(422);
  });
});
