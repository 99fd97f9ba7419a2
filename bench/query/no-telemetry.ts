// What the router would be without any telemetry: stands in for `service/telemetry.ts` and does nothing. No trace ids, nothing counted.
import { INVALID_SPAN_CONTEXT, trace } from '@opentelemetry/api';
import type { Span } from '@opentelemetry/api';
import { Counter as CountingCounter, Histogram as CountingHistogram, Registry } from 'prom-client';
import type { SpanSettings } from '../../service/telemetry.ts';

export { SpanKind } from '@opentelemetry/api';
export { Gauge, Registry } from 'prom-client';

const span: Span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

export class Counter<Label extends string> extends CountingCounter<Label> {
  override inc(): void {
    // nothing
  }
}

export class Histogram<Label extends string> extends CountingHistogram<Label> {
  override observe(): void {
    // nothing
  }
}

export const startTracing = (): (() => Promise<void>) => () => Promise.resolve();
export const createMetrics = (): Registry => new Registry();
export const currentTraceparent = (): string | undefined => undefined;
export const isRecorded = (): boolean => false;
export const inSpan = <T>(_name: string, _settings: SpanSettings, work: (span: Span) => Promise<T>): Promise<T> =>
  work(span);
export const asSpan = (_name: string, _settings: SpanSettings, work: () => void): void => work();
export const inStage = <T>(_name: string, work: () => T): T => work();
