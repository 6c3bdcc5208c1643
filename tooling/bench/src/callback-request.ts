const bodyBytes = 1024;

/** Application of all callbacks. */
export const benchApplication = 'bench';

/** Body of every callback: an event of exactly 1 KiB of JSON text. */
export const callbackBody: string = buildBody();

/** Returns a callback to `url` for the compatible API: without order, with five retries. */
export function callbackRequest(url: string, headers: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    url,
    method: 'POST',
    postdata: {
      headers: { 'content-type': 'application/json', ...headers },
      data: Buffer.from(callbackBody).toString('base64'),
    },
    retryphases: [{ retries: 5, delay: 1_000_000_000 }],
    applicationid: benchApplication,
    queueid: '',
  });
}

function buildBody(): string {
  const event = {
    event: 'order.updated',
    namespace: 'shop-1',
    data: { order: 4711, state: 'shipped', note: '' },
  };
  event.data.note = 'n'.repeat(bodyBytes - JSON.stringify(event).length);
  return JSON.stringify(event);
}
