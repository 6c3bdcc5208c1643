import {
  type CallbackInput,
  type CallbackMethod,
  callbackInvalid,
  callbackMethods,
  type FieldFault,
} from '@posthaste/callbacks';
import { findJsonMember, jsonItems } from '@posthaste/contracts';
import { type Static, type TUnsafe, Type } from 'typebox';
import { type TraceContext, toTraceHeaders } from '../../http/trace-context.js';
import {
  applicationField,
  headersSchema,
  momentSchema,
  noUnknownKeys,
} from '../schemas/field-schemas.js';
import { notificationEmailDescription } from './mail-recipients.js';
import {
  type PolicyResolver,
  type RetryChoice,
  resolveRetry,
  retryChoiceSchema,
} from './retry-choice.js';

/** Member `json` as the caller wrote it: it is sent byte for byte. */
export class JsonSource {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Body of `POST /v1/callbacks`. */
export interface NewCallback {
  readonly url: string;
  readonly method?: CallbackMethod;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: JsonSource;
  readonly text?: string;
  readonly base64?: string;
  readonly application?: string;
  readonly queue?: string;
  readonly deliverAfter?: string;
  readonly expiresAt?: string;
  readonly timeoutMs?: number;
  readonly retry?: RetryChoice;
  readonly secret?: string;
  readonly notificationEmail?: string;
}

const Schema = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 4_096,
      description:
        'Absolute URL with http or https. Private and loopback addresses are refused unless they are allowed.',
      examples: ['https://example.com/hooks/orders'],
    }),
    method: Type.Optional(
      Type.Enum([...callbackMethods], { type: 'string', description: 'Default POST.' }),
    ),
    headers: Type.Optional({
      ...headersSchema,
      description:
        'Headers of the request: at most 64, with 16 KiB in total. Headers that Posthaste sets itself are refused, such as `host`, `content-length` and `webhook-id`.',
      examples: [{ 'x-shop': 'berlin' }],
    }),
    json: Type.Optional(
      // Any JSON; `parseNewCallback` has put its text in its place.
      Type.Unsafe<JsonSource>({
        description:
          'The body, as any JSON. It is sent byte for byte as it is written here, white space and all digits included; as `application/json` unless `headers` set another content type.',
        examples: [{ order: 4711, state: 'shipped' }],
      }),
    ),
    text: Type.Optional(Type.String({ description: 'The body, as text that is sent as UTF-8.' })),
    base64: Type.Optional(
      Type.String({ description: 'The body, as bytes in standard base64 with padding.' }),
    ),
    application: applicationField,
    queue: Type.Optional(
      Type.String({
        maxLength: 256,
        description:
          'Callbacks of one queue of an application are delivered strictly one after another. Default: no queue, no order.',
        examples: ['order-4711'],
      }),
    ),
    deliverAfter: Type.Optional({
      ...momentSchema,
      description: 'No attempt starts before this time. Callbacks behind it in its queue wait too.',
    }),
    expiresAt: Type.Optional({
      ...momentSchema,
      description: 'No attempt starts at this time or later.',
    }),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Longest total time of one attempt, in ms. At most POSTHASTE_CALLBACK_LEASE minus 2 s. Default: POSTHASTE_CALLBACK_TIMEOUT, which is 15,000 unless set.',
      }),
    ),
    retry: Type.Optional(retryChoiceSchema),
    secret: Type.Optional(
      Type.String({
        maxLength: 256,
        description:
          'Name of a secret of the application. It signs the request by Standard Webhooks.',
      }),
    ),
    notificationEmail: Type.Optional(
      Type.String({ maxLength: 320, description: notificationEmailDescription }),
    ),
  },
  {
    ...noUnknownKeys,
    title: 'NewCallback',
    description: 'An HTTP request to deliver. At most one of `json`, `text` and `base64`.',
    examples: [
      {
        url: 'https://example.com/hooks/orders',
        json: { order: 4711, state: 'shipped' },
        application: 'shop',
        queue: 'order-4711',
        retry: { phases: [{ retries: 5, delayMs: 60_000 }] },
      },
    ],
  },
);

/** Parses the text of a callback. @throws SyntaxError if it is not JSON */
export function parseNewCallback(text: string): unknown {
  return keepJsonSource(JSON.parse(text), text);
}

/** Parses the text of a batch of callbacks. @throws SyntaxError if it is not JSON */
export function parseNewCallbacks(text: string): unknown {
  const batch: unknown = JSON.parse(text);
  const { items } = (batch ?? {}) as { readonly items?: unknown };
  if (!Array.isArray(items)) return batch;
  const texts = jsonItems(findJsonMember(text, 'items') ?? '');
  for (const [index, item] of items.entries()) keepJsonSource(item, texts[index] ?? '');
  return batch;
}

function keepJsonSource(callback: unknown, text: string): unknown {
  if (typeof callback !== 'object' || callback === null) return callback;
  const source = 'json' in callback ? findJsonMember(text, 'json') : undefined;
  if (source !== undefined) (callback as { json: unknown }).json = new JsonSource(source);
  return callback;
}

export const newCallbackSchema: TUnsafe<NewCallback> = Type.Unsafe<Static<typeof Schema>>(Schema);

const methodsWithBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const bodyKeys = ['json', 'text', 'base64'] as const;

/** Context of a new callback, besides the body of its request. */
export interface NewCallbackContext {
  /** Application that it belongs to. */
  readonly application: string;
  readonly policies: PolicyResolver;
  /** Trace of the request that creates it. */
  readonly trace: TraceContext | undefined;
  /** Number of deliveries that led to that request. */
  readonly hops: number;
  /** True if a recipient that the caller names needs no confirmation. */
  readonly isRecipientTrusted: boolean;
}

/**
 * Converts the body to the input of the callbacks package, which fills in defaults and checks the
 * other fields.
 * @throws PlatformError `CALLBACK_INVALID` for the body, `POLICY_NOT_FOUND`, `REQUEST_INVALID`
 */
export async function toCallbackInput(
  callback: NewCallback,
  { application, policies, trace, hops, isRecipientTrusted }: NewCallbackContext,
): Promise<CallbackInput> {
  const { retry, url, method, queue, timeoutMs, secret, notificationEmail } = callback;
  checkBody(callback);
  return {
    url,
    method,
    application,
    queue,
    headers: toHeaders(callback),
    body: toBody(callback),
    policy: retry && (await resolveRetry(retry, { application, policies })),
    timeoutMs,
    secret,
    notificationEmail,
    isRecipientTrusted,
    deliverAfter: toDate(callback.deliverAfter),
    expiresAt: toDate(callback.expiresAt),
    trace: trace && toTraceHeaders(trace),
    echo: hops,
  };
}

function checkBody(callback: NewCallback): void {
  const given = bodyKeys.filter((field) => callback[field] !== undefined);
  const [first, second] = given;
  if (first === undefined) return;
  const faults: FieldFault[] = [];
  if (second !== undefined) {
    faults.push({ field: second, message: `is a second body besides ${first}; send one of them` });
  }
  if (!methodsWithBody.has(callback.method ?? 'POST')) {
    faults.push({ field: first, message: 'can be sent with POST, PUT and PATCH only' });
  }
  if (faults.length > 0) throw callbackInvalid(faults);
}

function toHeaders({ json, headers }: NewCallback): Readonly<Record<string, string>> | undefined {
  if (json === undefined) return headers;
  if (headers === undefined) return { 'content-type': 'application/json' };
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return named ? headers : { 'content-type': 'application/json', ...headers };
}

function toBody({ json, text, base64 }: NewCallback): Buffer | undefined {
  if (json !== undefined) return Buffer.from(json.text);
  if (text !== undefined) return toTextBody(text);
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  // The decoder skips invalid characters, so only text that encodes back to itself was valid.
  if (bytes.toString('base64') === base64) return bytes;
  throw callbackInvalid([{ field: 'base64', message: 'is not standard base64 with padding' }]);
}

function toTextBody(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  throw callbackInvalid([{ field: 'text', message: 'contains half of a surrogate pair' }]);
}

function toDate(moment: string | undefined): Date | undefined {
  return moment === undefined ? undefined : new Date(moment);
}
