import {
  type CallbackInput,
  type CallbackMethod,
  callbackInvalid,
  callbackMethods,
  type FieldFault,
} from '@posthaste/callbacks';
import { stringifyExactJson } from '@posthaste/contracts';
import { type Static, type TUnsafe, Type } from 'typebox';
import { type TraceContext, toTraceHeaders } from '../../http/trace-context.js';
import { applicationField, headersSchema, momentSchema, strict } from '../schemas/field-schemas.js';
import {
  type PolicyResolver,
  type RetryChoice,
  resolveRetry,
  retryChoiceSchema,
} from './retry-choice.js';

/** A callback as the native API takes it. */
export interface NewCallback {
  readonly url: string;
  readonly method?: CallbackMethod;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
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
        'Absolute, http or https. Addresses inside the network are refused unless allowed.',
      examples: ['https://example.com/hooks/orders'],
    }),
    method: Type.Optional(
      Type.Enum([...callbackMethods], { type: 'string', description: 'Default POST.' }),
    ),
    headers: Type.Optional({
      ...headersSchema,
      description:
        'Sent as they are, 64 and 16 KiB at most. Those that frame or sign the request (`host`, `content-length`, `webhook-id`, …) are refused.',
      examples: [{ 'x-shop': 'berlin' }],
    }),
    json: Type.Optional(
      Type.Unknown({
        description:
          'The body, any JSON: sent without spaces, as `application/json` unless `headers` name another content type. Integers of 64 bits keep their digits.',
        examples: [{ order: 4711, state: 'shipped' }],
      }),
    ),
    text: Type.Optional(Type.String({ description: 'The body as text, sent as UTF-8.' })),
    base64: Type.Optional(
      Type.String({ description: 'The body as bytes: standard base64 with padding.' }),
    ),
    application: applicationField,
    queue: Type.Optional(
      Type.String({
        maxLength: 256,
        description:
          'Delivered strictly one after another with all others of this queue of the application. Not given: ordered with nothing.',
        examples: ['order-4711'],
      }),
    ),
    deliverAfter: Type.Optional({
      ...momentSchema,
      description: 'Not attempted before. Those behind it in its queue wait with it.',
    }),
    expiresAt: Type.Optional({ ...momentSchema, description: 'Not attempted from then on.' }),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'The total time of one attempt. At most the lease of the installation less 2 s; default 15,000.',
      }),
    ),
    retry: Type.Optional(retryChoiceSchema),
    secret: Type.Optional(
      Type.String({
        maxLength: 256,
        description: 'The name of a secret of the application; signs by Standard Webhooks.',
      }),
    ),
    notificationEmail: Type.Optional(
      Type.String({ maxLength: 320, description: 'Told when it fails for good.' }),
    ),
  },
  {
    ...strict,
    title: 'NewCallback',
    description: 'An HTTP request to be made. At most one of `json`, `text` and `base64`.',
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

export const newCallbackSchema: TUnsafe<NewCallback> = Type.Unsafe<Static<typeof Schema>>(Schema);

const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const bodyFields = ['json', 'text', 'base64'] as const;

/** What a callback needs besides what its caller says of it. */
export interface IntakeContext {
  readonly policies: PolicyResolver;
  /** Of the request that hands it in. */
  readonly trace: TraceContext | undefined;
}

/**
 * What the domain takes, which fills in defaults and judges the rest.
 * @throws PlatformError `CALLBACK_INVALID` for the body, `POLICY_NOT_FOUND`, `REQUEST_INVALID`
 */
export async function toCallbackInput(
  callback: NewCallback,
  { policies, trace }: IntakeContext,
): Promise<CallbackInput> {
  const { retry, url, method, application, queue, timeoutMs, secret, notificationEmail } = callback;
  checkBody(callback);
  return {
    url,
    method,
    application,
    queue,
    headers: toHeaders(callback),
    body: toBody(callback),
    policy: retry && (await resolveRetry(retry, policies)),
    timeoutMs,
    secret,
    notificationEmail,
    deliverAfter: toDate(callback.deliverAfter),
    expiresAt: toDate(callback.expiresAt),
    trace: trace && toTraceHeaders(trace),
  };
}

function checkBody(callback: NewCallback): void {
  const given = bodyFields.filter((field) => callback[field] !== undefined);
  const [first, second] = given;
  if (first === undefined) return;
  const faults: FieldFault[] = [];
  if (second !== undefined) {
    faults.push({ field: second, message: `is a second body, beside ${first}` });
  }
  if (!withBody.has(callback.method ?? 'POST')) {
    faults.push({ field: first, message: 'is sent with POST, PUT and PATCH only' });
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
  if (json !== undefined) return toJsonBody(json);
  if (text !== undefined) return toTextBody(text);
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  // The decoder drops what it does not know; only what comes back the same was all base64.
  if (bytes.toString('base64') === base64) return bytes;
  throw callbackInvalid([{ field: 'base64', message: 'is not standard base64 with padding' }]);
}

function toJsonBody(json: unknown): Buffer {
  try {
    return Buffer.from(stringifyExactJson(json));
  } catch (error) {
    // What is taken apart in a loop is put together by recursion.
    if (!(error instanceof RangeError)) throw error;
    throw callbackInvalid([{ field: 'json', message: 'is nested too deep' }]);
  }
}

function toTextBody(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  throw callbackInvalid([{ field: 'text', message: 'has half a surrogate pair' }]);
}

function toDate(moment: string | undefined): Date | undefined {
  return moment === undefined ? undefined : new Date(moment);
}
