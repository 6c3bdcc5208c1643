import {
  context,
  createTraceState,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.js';
import { parseTraceContext, type TraceContext } from './trace-context.js';

const tracerName = '@posthaste/gateway';

/**
 * Adds `request.trace`. If an OpenTelemetry SDK was registered before the server was built, each
 * request is also a server span, which is active while its handler runs. Otherwise the headers are
 * parsed only when a handler reads `trace`.
 */
export function addTracing(app: App): void {
  const tracer = findTracer();
  if (tracer) addSpans(app, tracer);
  else {
    app.decorateRequest('trace', {
      getter(this: FastifyRequest) {
        return incomingTrace(this);
      },
    });
  }
}

/** Returns the registered tracer; `undefined` when there is none to record spans. */
function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  if (provider instanceof ProxyTracerProvider) return provider.getDelegateTracer(tracerName);
  return provider.getTracer(tracerName);
}

function addSpans(app: App, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  app.decorateRequest('trace', {
    getter(this: FastifyRequest) {
      const span = spans.get(this);
      return span ? toTraceContext(span) : incomingTrace(this);
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    const span = startSpan(tracer, request);
    spans.set(request, span);
    request.log = reply.log = request.log.child({ traceId: span.spanContext().traceId });
    done();
  });
  app.addHook('preHandler', (request, _reply, done) => {
    // Not before the body is read: that loses the active span.
    const span = spans.get(request);
    if (span) context.with(trace.setSpan(context.active(), span), done);
    else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request);
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
    done();
  });
}

function startSpan(tracer: Tracer, request: FastifyRequest): Span {
  const route = request.routeOptions.url;
  return tracer.startSpan(
    route === undefined ? request.method : `${request.method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': request.method,
        'url.path': request.url.split('?', 1)[0] ?? '',
        ...(route === undefined ? {} : { 'http.route': route }),
      },
    },
    parentContext(incomingTrace(request)),
  );
}

function parentContext(parent: TraceContext | undefined): typeof ROOT_CONTEXT {
  if (!parent) return ROOT_CONTEXT;
  const { traceId, spanId, sampled, tracestate } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    isRemote: true,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}

function toTraceContext(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const sampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
  const tracestate = traceState?.serialize();
  return { traceId, spanId, sampled, ...(tracestate ? { tracestate } : {}) };
}

function incomingTrace(request: FastifyRequest): TraceContext | undefined {
  const { traceparent, tracestate } = request.raw.headers;
  // Node joins repeated unknown headers with a comma, which gives no valid traceparent.
  return parseTraceContext(
    typeof traceparent === 'string' ? traceparent : undefined,
    typeof tracestate === 'string' ? tracestate : undefined,
  );
}
