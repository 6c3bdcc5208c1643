import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  trace,
} from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const ownId = '1111111111111111';
const traceparent = `00-${traceId}-${parentId}-01`;

interface RecordedSpan {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Attributes;
  error: boolean;
  ended: boolean;
}

/** Registers a minimal SDK, which records spans and keeps the active one. */
function registerSdk(): RecordedSpan[] {
  const spans: RecordedSpan[] = [];
  const startSpan = (name: string, options?: SpanOptions, parent?: Context): Span => {
    const parentSpan = parent && trace.getSpanContext(parent);
    const span: RecordedSpan = {
      name,
      parent: parentSpan?.spanId,
      attributes: { ...options?.attributes },
      error: false,
      ended: false,
    };
    spans.push(span);
    const spanContext = { traceId: parentSpan?.traceId ?? traceId, spanId: ownId, traceFlags: 1 };
    const recording: Partial<Span> = {
      spanContext: () => spanContext,
      setAttribute: (key, value) => {
        Object.assign(span.attributes, { [key]: value });
        return recording as Span;
      },
      setStatus: () => {
        span.error = true;
        return recording as Span;
      },
      end: () => {
        span.ended = true;
      },
    };
    return recording as Span;
  };
  const startActiveSpan = (): never => {
    throw new Error('not part of this test');
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
  context.setGlobalContextManager(contextManager());
  return spans;
}

function contextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    // biome-ignore lint/complexity/useMaxParams: OpenTelemetry's signature
    with: (active, work, thisArg, ...args) =>
      storage.run(active, () => work.call(thisArg, ...args)),
    bind: (_active, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

const routes = [
  (app: App): void => {
    const config = { scope: 'public', application: 'none', audit: 'none' } as const;
    app.post('/things/:id', { config }, async ({ trace: seen, log }) => {
      await Promise.resolve();
      log.info('handled');
      return { seen, active: trace.getActiveSpan()?.spanContext().spanId };
    });
    app.get('/broken', { config }, () => {
      throw new Error('broken');
    });
  },
];

const postThing = { method: 'POST', url: '/things/7?q=1', payload: {} } as const;

afterEach(() => {
  trace.disable();
  context.disable();
});

describe('without an OpenTelemetry SDK', () => {
  it('handlers and log lines have the trace of the caller', async () => {
    const { app, logs } = await testServer({}, { routes });
    const headers = { traceparent, tracestate: 'a=1' };
    const answer = await app.inject({ ...postThing, headers });
    expect(answer.json()).toEqual({
      seen: { traceId, spanId: parentId, sampled: true, tracestate: 'a=1' },
    });
    expect(logs).toMatchObject([{ msg: 'handled', traceId, requestId: expect.any(String) }]);
  });

  it('a request without a trace has none', async () => {
    const { app, logs } = await testServer({}, { routes });
    expect((await app.inject(postThing)).json()).toEqual({});
    expect(logs[0]).not.toHaveProperty('traceId');
  });
});

describe('with an OpenTelemetry SDK', () => {
  it('each request is a child span of the caller, active in its handler', async () => {
    const spans = registerSdk();
    const { app, logs } = await testServer({}, { routes });
    const answer = await app.inject({ ...postThing, headers: { traceparent } });
    expect(answer.json()).toEqual({
      seen: { traceId, spanId: ownId, sampled: true },
      active: ownId,
    });
    await expect
      .poll(() => spans)
      .toEqual([
        {
          name: 'POST /things/:id',
          parent: parentId,
          attributes: {
            'http.request.method': 'POST',
            'url.path': '/things/7',
            'http.route': '/things/:id',
            'http.response.status_code': 200,
          },
          error: false,
          ended: true,
        },
      ]);
    expect(logs).toMatchObject([{ msg: 'handled', traceId }]);
  });

  it('a span starts a trace if the caller sent none, and records failures', async () => {
    const spans = registerSdk();
    const { app } = await testServer({}, { routes });
    await app.inject('/broken');
    await app.inject('/nothing');
    await expect
      .poll(() => spans)
      .toMatchObject([
        { name: 'GET /broken', parent: undefined, error: true, ended: true },
        { name: 'GET', error: false, ended: true },
      ]);
  });
});
