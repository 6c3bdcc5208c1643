import { randomBytes } from 'node:crypto';
import { newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import { useSharedStore } from '../../test/test-store.js';
import type { Delivery } from '../delivery/delivery.js';
import { createDeliverySigner } from './delivery-signer.js';
import { createSecretBox } from './secret-box.js';
import { Secrets } from './secrets.js';

const delivery = (secret: string | undefined, endpointId: string | undefined): Delivery =>
  deliveryOf({ endpointId, request: { secret } });

describeWithPostgres('the signer of deliveries', () => {
  const store = useSharedStore();

  it('uses the named secret, else the one of the endpoint, else none', async () => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    const signer = createDeliverySigner(secrets);
    const named = await secrets.create({ application: 'shop', name: 'orders' });
    const endpointId = newId();
    const own = await secrets.createForEndpoint(
      store.db,
      { application: 'shop', id: endpointId },
      {},
    );
    const body = Buffer.from('{}');
    const seconds = Math.floor(Date.now() / 1_000);
    for (const [secret, endpoint, expected] of [
      ['orders', undefined, named],
      ['orders', endpointId, named],
      [undefined, endpointId, own],
    ] as const) {
      const toSign = delivery(secret, endpoint);
      const signature = await signer.sign(toSign, seconds, body);
      const headers = {
        'webhook-id': toSign.callbackId,
        'webhook-timestamp': String(seconds),
        'webhook-signature': signature ?? '',
      };
      expect(new Webhook(expected.secret).verify(body, headers)).toEqual({});
      expect(signer.sign(toSign, seconds, body), 'synchronous the second time').toBe(signature);
    }
    expect(await signer.sign(delivery(undefined, undefined), seconds, body)).toBeUndefined();
    await expect(
      Promise.resolve(signer.sign(delivery('missing', undefined), seconds, body)),
    ).rejects.toEqual(expect.objectContaining({ code: 'SECRET_NOT_FOUND' }));
  });
});
