import type { Signer } from '../delivery/attempt-request.js';
import type { Delivery } from '../delivery/delivery.js';
import type { SecretKey } from './secret-store.js';
import { endpointSecretName, type Secrets } from './secrets.js';
import { sign } from './signature.js';

/**
 * Signs deliveries with the secret that their request names, else with that of their endpoint.
 * Answers at once while the keys are in memory. What should be signed and cannot be is never sent:
 * it throws what {@link Secrets.signingKeys} does.
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
