import { PlatformError } from '@posthaste/contracts';
import type { Mechanism } from 'kafkajs';

const separator = '\u0001';
const lengthBytes = 4;

/**
 * SASL OAUTHBEARER (RFC 7628). kafkajs has it, but reads no answer: with a token that is refused it
 * goes on as if it were authenticated, and fails later, for reasons that lead nowhere.
 */
export function oauthBearer(token: () => Promise<string>): Mechanism {
  return {
    mechanism: 'OAUTHBEARER',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const message = `n,,${separator}auth=Bearer ${await token()}${separator}${separator}`;
        const answer = await saslAuthenticate({
          request: { encode: () => withLength(Buffer.from(message)) },
          response: { decode: (raw) => raw.subarray(lengthBytes), parse: (data) => data },
        });
        // Brokers answer nothing to a token that they take, and tell the reason else.
        if (!answer || answer.length === 0) return;
        throw new PlatformError('STREAM_UNAUTHORIZED', `Kafka refuses the token: ${answer}`);
      },
    }),
  };
}

function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeInt32BE(message.length);
  return Buffer.concat([length, message]);
}
