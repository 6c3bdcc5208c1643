import { planMail } from '@posthaste/callbacks';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Call } from '../../../test/caller.js';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';
import { testKeys } from '../../../test/test-server.js';

interface Recipient {
  readonly id: string;
  readonly application: string;
  readonly address: string;
  readonly state: string;
  readonly decidedBy: string | null;
}

interface List {
  readonly items: readonly Recipient[];
}

const url = 'https://example.com/hook';

describeWithPostgres('recipients of mails', () => {
  let gateway: TestCallbacks;
  let shop: Call;
  let operator: Call;

  beforeAll(async () => {
    const key = { id: 'k', name: 'k', scopes: ['admin'] as const };
    gateway = await openTestCallbacks(
      { mailRecipients: ['*@list.example'] },
      {
        keys: testKeys({
          shop: { ...key, applications: ['shop'] },
          both: { ...key, applications: ['shop', 'game'] },
          all: { ...key, applications: 'all' },
        }),
      },
      { POSTHASTE_ACCESS: 'keys' },
    );
    shop = gateway.call.with({ authorization: 'Bearer shop' });
    operator = gateway.call.with({ authorization: 'Bearer all' });
  });
  afterAll(() => gateway.close());

  const stateOf = async (address: string): Promise<string | undefined> => {
    const { json } = await operator<List>('GET', '/v1/mail-recipients?limit=500');
    const found = json.items.find((item) => item.address === address);
    return found && `${found.application} ${found.state} ${found.decidedBy}`;
  };

  it.each<[string, (call: Call, email: string) => Promise<{ readonly status: number }>]>([
    [
      'a callback',
      (call, notificationEmail) =>
        call('POST', '/v1/callbacks', { url, application: 'shop', notificationEmail }),
    ],
    [
      'a batch',
      (call, notificationEmail) =>
        call('POST', '/v1/callbacks/batch', {
          items: [{ url, application: 'shop', notificationEmail }],
        }),
    ],
    [
      'the compatible API',
      (call, notificationemailaddress) =>
        call('POST', '/callback', { url, applicationid: 'shop', notificationemailaddress }),
    ],
    [
      'a new endpoint',
      (call, notificationEmail) =>
        call('POST', '/v1/endpoints', {
          application: 'shop',
          name: notificationEmail,
          url,
          notificationEmail,
        }),
    ],
    [
      'a changed endpoint',
      async (call, notificationEmail) => {
        const created = await call<{ endpoint: { id: string } }>('POST', '/v1/endpoints', {
          application: 'shop',
          name: `changed ${notificationEmail}`,
          url,
        });
        const { id } = created.json.endpoint;
        return call('PATCH', `/v1/endpoints/${id}`, { notificationEmail });
      },
    ],
  ])('that %s names are accepted, and confirmed only for a trusted caller', async (by, send) => {
    const local = by.replaceAll(' ', '-');
    for (const [call, address, state] of [
      [shop, `${local}@shop.example`, 'shop pending null'],
      [shop, `${local}@list.example`, 'shop confirmed caller'],
      [operator, `${local}@ops.example`, 'shop confirmed caller'],
    ] as const) {
      expect([200, 201]).toContain((await send(call, address)).status);
      expect(await stateOf(address)).toBe(state);
    }
  });

  it('need no confirmation on loopback without a key', async () => {
    const local = await openTestCallbacks();
    try {
      const body = { url, notificationEmail: 'a@x.example' };
      expect((await local.call('POST', '/v1/callbacks', body)).status).toBe(201);
      const { json } = await local.call<List>('GET', '/v1/mail-recipients');
      expect(json.items).toMatchObject([{ application: '', state: 'confirmed' }]);
    } finally {
      await local.close();
    }
  });

  it('are listed for the applications of the caller, and decided by callers for all only', async () => {
    const named = { url, application: 'game', notificationEmail: 'a@game.example' };
    await operator('POST', '/v1/callbacks', named);
    const { json } = await shop<List>('GET', '/v1/mail-recipients');
    expect(new Set(json.items.map(({ application }) => application))).toEqual(new Set(['shop']));
    expect((await shop('GET', '/v1/mail-recipients?application=game')).status).toBe(403);
    const list = await operator<List>(
      'GET',
      '/v1/mail-recipients?application=game&state=confirmed',
    );
    const id = list.json.items[0]?.id ?? '';
    for (const action of ['confirm', 'refuse']) {
      const path = `/v1/mail-recipients/${id}/${action}`;
      expect((await shop('POST', path)).status).toBe(403);
      expect((await operator<Recipient>('POST', path)).json).toMatchObject({
        id,
        state: action === 'confirm' ? 'confirmed' : 'refused',
      });
    }
    const unknown = await operator('POST', '/v1/mail-recipients/nobody/confirm');
    expect(unknown).toMatchObject({ status: 404, json: { code: 'MAIL_RECIPIENT_NOT_FOUND' } });
  });

  it('confirm by the button of a page, and not by following a link', async () => {
    const address = "o'hara@page.example";
    const application = 'shop';
    await shop('POST', '/v1/callbacks', { url, application, notificationEmail: address });
    await planMail(gateway.db, { publicUrl: 'https://p.example' });
    const { rows } = await gateway.db.query<{ body: string }>(
      `select body from callbacks.mail where kind = 'confirmation' and recipient = $1`,
      [address],
    );
    const [confirm, refuse] = (rows[0]?.body.match(/https:\S+/g) ?? []).map((link) =>
      link.replace('https://p.example', ''),
    ) as [string, string];

    for (const method of ['GET', 'HEAD'] as const) {
      for (const link of [confirm, refuse]) await send(method, link);
    }
    expect(await stateOf(address)).toBe('shop pending null');
    const page = await send('GET', confirm);
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("form-action 'self'"),
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(page.body).toContain('o&#39;hara@page.example');
    expect(page.body).toContain(`<form method="post" action="${confirm}">`);

    const form = 'application/x-www-form-urlencoded';
    expect((await send('POST', confirm, { type: form, body: '' })).status).toBe(200);
    expect(await stateOf(address)).toBe('shop confirmed recipient');
    // The link works once.
    expect((await send('POST', confirm)).status).toBe(404);
    expect((await send('GET', confirm)).status).toBe(404);
    // As a mail program sends it (RFC 8058).
    const oneClick = { type: form, body: 'List-Unsubscribe=One-Click' };
    expect((await send('POST', refuse, oneClick)).status).toBe(200);
    expect(await stateOf(address)).toBe('shop refused recipient');
  });

  it('answer links with wrong tokens with a page', async () => {
    for (const link of ['confirm', 'refuse']) {
      const path = `/v1/mail-recipients/${link}`;
      expect((await send('GET', `${path}?token=wrong`)).status).toBe(404);
      expect((await send('POST', `${path}?token=%3Cscript%3E`)).body).not.toContain('<script>');
      expect((await send('GET', path)).status).toBe(422);
      expect((await send('GET', `${path}?token=${'x'.repeat(201)}`)).status).toBe(422);
    }
  });

  interface FormBody {
    readonly type: string;
    readonly body: string;
  }

  /** Sends a request without a key, as a browser does. */
  async function send(method: 'GET' | 'HEAD' | 'POST', path: string, form?: FormBody) {
    const answer = await gateway.app.inject({
      method,
      url: path,
      headers: { host: 'p.example', ...(form && { 'content-type': form.type }) },
      ...(form && { payload: form.body }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }
});
