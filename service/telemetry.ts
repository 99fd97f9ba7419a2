// Traces (OpenTelemetry, W3C trace context) and metrics (Prometheus) of a process.
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { collectDefaultMetrics, Registry } from 'prom-client';

export { SpanKind } from '@opentelemetry/api';
export { Counter, Gauge, Histogram, Registry } from 'prom-client';

const tracer = trace.getTracer('baedal');

/**
 * Turns tracing on for this process. Without an endpoint spans are not recorded, but every operation still has a trace id that
 * reaches logs, messages and the other processes.
 * @returns how to send what is left and stop.
 */
export function startTracing(service: string, endpoint: string | undefined): () => Promise<void> {
  process.env['OTEL_SERVICE_NAME'] ??= `baedal-${service}`;
  const provider = new NodeTracerProvider(
    endpoint === undefined
      ? { sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) }
      : {
          spanProcessors: [
            new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })),
          ],
        },
  );
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
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier['traceparent'];
}

/** Runs `work` in a span; an incoming `traceparent` makes it the child of the sender's span. */
export async function inSpan<T>(
  name: string,
  options: { readonly kind?: SpanKind; readonly traceparent?: string | undefined; readonly attributes?: Attributes },
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const parent: Context =
    options.traceparent === undefined
      ? context.active()
      : propagation.extract(ROOT_CONTEXT, { traceparent: options.traceparent });
  const span = tracer.startSpan(
    name,
    { kind: options.kind ?? SpanKind.INTERNAL, attributes: options.attributes ?? {} },
    parent,
  );
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
    throw error;
  } finally {
    span.end();
  }
}
