import { type Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { request as tlsRequest } from 'node:https';

/** Response to a request, with its body. */
export interface Answer {
  readonly response: IncomingMessage;
  readonly body: Buffer;
  /** Error if the body ended early. */
  readonly error: (Error & { code?: string }) | undefined;
  readonly informational: readonly number[];
}

/** Options of `send`. */
export interface SendOptions {
  readonly body?: string | Buffer;
  readonly ca?: string;
  readonly agent?: Agent;
}

/** Sends a request on a new connection, and resolves to the response. */
export async function send(url: string, { body, ca, agent }: SendOptions = {}): Promise<Answer> {
  const options = {
    method: body === undefined ? 'GET' : 'POST',
    agent: agent ?? false,
    ca,
    maxHeaderSize: 1e6,
  };
  const outgoing: ClientRequest = (ca ? tlsRequest : request)(url, options);
  const informational: number[] = [];
  outgoing.on('information', ({ statusCode }) => informational.push(statusCode));
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', async (response) => {
      outgoing.off('error', reject).on('error', () => undefined);
      const chunks: Buffer[] = [];
      let error: Error | undefined;
      try {
        for await (const chunk of response) chunks.push(chunk);
      } catch (cause) {
        error = cause instanceof Error ? cause : new Error(String(cause));
      }
      resolve({ response, body: Buffer.concat(chunks), error, informational });
    });
    outgoing.end(body);
  });
}

/** True if no response arrives within 100 ms. */
export async function staysSilent(url: string): Promise<boolean> {
  const silence = new Promise<true>((resolve) => setTimeout(() => resolve(true), 100));
  return Promise.race([send(url).then(() => false), silence]);
}
