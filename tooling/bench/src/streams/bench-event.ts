/** The event that is published again and again: an order whose JSON has 500 bytes. */

const payloadBytes = 500;

/** Payload of the event. */
export interface OrderPayload {
  readonly orderId: string;
  readonly customerId: string;
  readonly amount: number;
  readonly currency: string;
  readonly isGift: boolean;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  /** Moment of publishing, in decimal ns of `process.hrtime.bigint()`; empty if latency is not measured. */
  readonly sentAtNs: string;
  /** Padding to the required length. */
  readonly note: string;
}

/** One event: the payload for our clients, and the bytes for bare clients. */
export interface BenchEvent {
  readonly payload: OrderPayload;
  readonly value: Buffer;
}

export const eventName = 'order.placed';
export const eventNamespace = 'shop';

/** Creates the event. */
export function createEvent(sentAtNs = ''): BenchEvent {
  const order = {
    orderId: '6f2b7c1e-9a54-4d0e-8a8e-1f5b0f6c2d11',
    customerId: 'c0a8f3d2-5b7e-4f6a-9d3c-7e2b1a4f8e90',
    amount: 4_299,
    currency: 'EUR',
    isGift: false,
    items: [
      { sku: 'chair-oak', quantity: 4 },
      { sku: 'table-oak', quantity: 1 },
    ],
    sentAtNs,
    note: '',
  };
  const note = 'n'.repeat(payloadBytes - JSON.stringify(order).length);
  const payload = { ...order, note };
  return { payload, value: Buffer.from(JSON.stringify(payload)) };
}
