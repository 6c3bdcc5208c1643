import { fromStoredPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import type { Delivery } from './delivery.js';
import { parseFairnessKey } from './fairness-key.js';

/** Row of a leased head with its request, as {@link deliveryColumns} selects it. */
export interface DeliveryRow {
  callback_id: string;
  queue: string | null;
  lane: string;
  failures: number;
  unknowns: number;
  cancelled: boolean;
  created_ms: number;
  expires_ms: number | null;
  url: string;
  method: string;
  headers: string | null;
  /** Null if there is none, and if it is large. */
  body: Buffer | null;
  body_bytes: number | null;
  policy: string;
  timeout_ms: number;
  secret: string | null;
  notification_email: string | null;
  echo: number;
}

/**
 * Longest body that is read with its delivery. A larger one is read right before it is sent:
 * large-bodies.ts.
 */
const maxInlineBodyBytes = 32 * 1024;

/**
 * Columns of a request `r`. No more than needed: each delivery pays for every column.
 * `date_part` instead of `extract`, which computes in numeric.
 */
export const requestColumns: string = `
  date_part('epoch', r.created_at) * 1000 as created_ms,
  date_part('epoch', r.expires_at) * 1000 as expires_ms,
  r.url, r.method, r.headers::text, octet_length(r.body) as body_bytes,
  case when octet_length(r.body) <= ${maxInlineBodyBytes} then r.body end as body, r.policy::text, r.timeout_ms, r.secret,
  r.notification_email, r.echo`;

/** Columns of a head and of its request `r`. Application and endpoint are read from `lane`. */
export const deliveryColumns = (head: string): string => `
  ${head}.callback_id, ${head}.queue, ${head}.lane, ${head}.failures, ${head}.unknowns, ${head}.cancelled,
  ${requestColumns}`;

/** Converts a row. `leaseIndex`: see {@link Delivery}. */
export function toDelivery(row: DeliveryRow, leaseToken: string, leaseIndex: number): Delivery {
  const { application, endpointId } = parseFairnessKey(row.lane);
  return {
    callbackId: row.callback_id,
    leaseToken,
    ordered: row.queue !== null,
    application,
    queue: row.queue ?? undefined,
    endpointId,
    leaseIndex,
    fairnessKey: row.lane,
    failures: row.failures,
    unknowns: row.unknowns,
    cancelled: row.cancelled,
    echo: row.echo,
    createdAtMs: row.created_ms,
    expiresAtMs: row.expires_ms ?? undefined,
    largeBodyBytes: row.body === null ? (row.body_bytes ?? undefined) : undefined,
    request: {
      url: row.url,
      method: row.method,
      headers: row.headers === null ? undefined : parseHeaders(row.headers),
      body: row.body ?? undefined,
      policy: parsePolicy(row.policy),
      timeoutMs: row.timeout_ms,
      secret: row.secret ?? undefined,
      notificationEmail: row.notification_email ?? undefined,
    },
  };
}

const parseHeaders = memoized((text) => JSON.parse(text) as Readonly<Record<string, string>>);
const parsePolicy = memoized((text): RetryPolicy => fromStoredPolicy(JSON.parse(text)));

/**
 * Returns `parse` with a memory: callbacks of one sender have the same few policies and headers.
 */
function memoized<T>(parse: (text: string) => T): (text: string) => T {
  const maxEntries = 512;
  const maxLength = 1_024;
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const value = parse(text);
    if (text.length > maxLength) return value;
    if (known.size >= maxEntries) known.clear();
    known.set(text, value);
    return value;
  };
}
