import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Server that gives the token of whoever is signed in, as the library of a provider does. */
export interface TokenSource {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a source, which makes a token for each request. */
export async function startTokenSource(makeToken: () => Promise<string>): Promise<TokenSource> {
  const server = createServer(async (_request, response) => {
    response.end(await makeToken());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
