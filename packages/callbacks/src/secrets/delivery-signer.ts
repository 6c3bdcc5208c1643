import type { Signer } from '../delivery/attempt-request.js';
import type { Delivery } from '../delivery/delivery.js';
import { endpointSecretName, type SecretKey } from './secret-key.js';
import type { Secrets } from './secrets.js';
import { sign } from './signature.js';

/**
 * Creates the signer of deliveries. It signs with the secret that the request names, else with the
 * one of the endpoint, and returns synchronously while the keys are cached. It throws what
 * {@link Secrets.signingKeys} throws: a delivery that cannot be signed must not be sent.
 */
export function createDeliverySigner(secrets: Secrets): Signer {
  return {
    sign(delivery, timestampSeconds, body) {
      const key = secretKeyOf(delivery);
      if (!key) return undefined;
      const input = { id: delivery.callbackId, timestampSeconds, body };
      const known = secrets.peekSigningKeys(key);
      if (known) return sign({ ...input, keys: known });
      return secrets.signingKeys(key).then((keys) => sign({ ...input, keys }));
    },
  };
}

function secretKeyOf({ application, endpointId, request }: Delivery): SecretKey | undefined {
  if (request.secret !== undefined) return { application, name: request.secret };
  return endpointId === undefined
    ? undefined
    : { application, name: endpointSecretName(endpointId) };
}
