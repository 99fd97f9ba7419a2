// Traces (OpenTelemetry, W3C trace context) and metrics (Prometheus) of a process.
import {
  context,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import type { Attributes, Context, Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, RandomIdGenerator } from '@opentelemetry/sdk-trace-node';
import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { collectDefaultMetrics, Registry } from 'prom-client';

export { SpanKind } from '@opentelemetry/api';
export { Counter, Gauge, Histogram, Registry } from 'prom-client';

const tracer = trace.getTracer('baedal');
const ids = new RandomIdGenerator();
/** Whether there are traces whose spans nobody is sent: then a span is no more than its ids, and OpenTelemetry is left out. */
let areSpansUnsent = false;
/** The `traceparent` of what runs here, while spans are unsent. */
const unsent = new AsyncLocalStorage<string>();
const unsentSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/**
 * Turns tracing on for this process. Without an endpoint spans are not recorded, but every operation still has a trace id that
 * reaches logs, messages and the other processes.
 * @returns how to send what is left and stop.
 */
export function startTracing(service: string, endpoint: string | undefined): () => Promise<void> {
  areSpansUnsent = endpoint === undefined;
  if (endpoint === undefined) return () => Promise.resolve();
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': `baedal-${service}`, 'service.instance.id': hostname() }),
    ),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })),
    ],
  });
  provider.register();
  return () => provider.shutdown();
}

/** A metrics registry with the process's own figures (CPU, memory, event loop) and its name as a label. */
export function createMetrics(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** The trace context to hand on, as a W3C `traceparent`; undefined outside any trace. */
export function currentTraceparent(): string | undefined {
  if (areSpansUnsent) return unsent.getStore();
  const active = trace.getSpanContext(context.active());
  if (active === undefined || !isSpanContextValid(active)) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags === TraceFlags.SAMPLED ? '01' : '00'}`;
}

/** The last digit of a `traceparent` is odd when it is sampled. */
const sampledEndings: ReadonlySet<string> = new Set('13579bdf');

/** Whether somebody records the trace of a `traceparent`: without, spans cost time and tell nobody. */
export function isRecorded(traceparent: string | undefined): traceparent is string {
  return traceparent !== undefined && !areSpansUnsent && sampledEndings.has(traceparent.charAt(54));
}

export interface SpanSettings {
  readonly kind?: SpanKind;
  /** The sender's span, whose child this one is; absent: the span that is active here. */
  readonly traceparent?: string | undefined;
  readonly attributes?: Attributes;
}

/** Runs `work` in a span. */
export function inSpan<T>(name: string, settings: SpanSettings, work: (span: Span) => Promise<T>): Promise<T> {
  if (areSpansUnsent) return unsent.run(childOf(settings.traceparent ?? unsent.getStore()), work, unsentSpan);
  const { parent, span } = startSpan(name, settings);
  return ended(context.with(trace.setSpan(parent, span), work, undefined, span), span);
}

async function ended<T>(working: Promise<T>, span: Span): Promise<T> {
  try {
    return await working;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
    throw error;
  } finally {
    span.end();
  }
}

/** Runs `work`, which ends before this returns, and records it as a span; nothing in it belongs to that span. */
export function asSpan(name: string, settings: SpanSettings, work: () => void): void {
  if (areSpansUnsent) return work();
  const { span } = startSpan(name, settings);
  work();
  span.end();
}

/** Runs `work`, which is done when it returns, as a span of the active trace, if that is recorded. */
export function inStage<T>(name: string, work: () => T): T {
  if (trace.getActiveSpan()?.isRecording() !== true) return work();
  const span = tracer.startSpan(name);
  try {
    return work();
  } finally {
    span.end();
  }
}

function startSpan(name: string, { kind, traceparent, attributes }: SpanSettings): { parent: Context; span: Span } {
  const parent = traceparent === undefined ? context.active() : propagation.extract(ROOT_CONTEXT, { traceparent });
  const span = tracer.startSpan(name, { kind: kind ?? SpanKind.INTERNAL, attributes: attributes ?? {} }, parent);
  return { parent, span };
}

/** Version, trace id, parent id and flags (W3C Trace Context, 3.2). Ids of zeros count as none. */
const traceparentForm = /^(?!ff)[\da-f]{2}-((?!0{32})[\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})$/;

/** A span in the trace of another one; in a new trace where there is none, or what was sent as such is none. */
function childOf(traceparent: string | undefined): string {
  const above = traceparent === undefined ? undefined : traceparentForm.exec(traceparent);
  return `00-${above?.[1] ?? ids.generateTraceId()}-${ids.generateSpanId()}-${above?.[2] ?? '00'}`;
}
