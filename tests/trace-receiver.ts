// A receiver of traces for tests: what an OpenTelemetry collector is to the processes, OTLP over HTTP in its JSON encoding.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A span as it was exported; kinds as in OTLP. */
export interface ExportedSpan {
  /** `service.name` of the process, without the `baedal-` in front. */
  readonly service: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the root of a trace. */
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
}

export interface TraceReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string;
  /** Resolves as soon as the spans received so far fit; rejects, with their names, after a minute. */
  until(fits: (spans: readonly ExportedSpan[]) => boolean): Promise<readonly ExportedSpan[]>;
  close(): Promise<void>;
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string | number };
}
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly kind: number;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly attributes: readonly KeyValue[];
      }[];
    }[];
  }[];
}

const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const patienceMs = 60_000;

/** Listens on a free port of this machine. */
export async function receiveTraces(): Promise<TraceReceiver> {
  const spans: ExportedSpan[] = [];
  const listeners = new Set<() => void>();
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url !== '/v1/traces') {
        response.writeHead(404).end();
        return;
      }
      spans.push(...read((await json(request)) as ExportRequest));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      for (const listener of listeners) listener();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!fits(spans)) return;
          clearTimeout(timer);
          listeners.delete(look);
          resolve([...spans]);
        };
        const timer = setTimeout(() => {
          listeners.delete(look);
          const names = [...new Set(spans.map(({ service, name }) => `${service}: ${name}`))];
          reject(new Error(`the spans do not fit; received: ${names.toSorted().join(', ')}`));
        }, patienceMs);
        listeners.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function read({ resourceSpans }: ExportRequest): ExportedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name']).replace('baedal-', '');
    return scopeSpans.flatMap((scope) =>
      scope.spans.map(({ name, kind, traceId, spanId, parentSpanId, attributes }) => ({
        ...{ service, name, traceId, spanId },
        kind: kinds[kind] ?? 'internal',
        parentSpanId: parentSpanId === '' ? undefined : parentSpanId,
        attributes: attributesOf(attributes),
      })),
    );
  });
}

const attributesOf = (attributes: readonly KeyValue[]): Record<string, string | number | undefined> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));
