// What an operator is told of a request: the spans of one trace, the line of log, the figures; and what costs nothing when nobody asks.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { createClient } from 'graphql-ws';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { currentTraceparent, inStage, isRecorded } from '../service/telemetry.ts';
import { createAccessLog } from './access-log.ts';
import { createRouterMetrics } from './metrics.ts';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
let router: TestRouter;

beforeAll(async () => {
  provider.register();
  router = await startTestRouter();
});
afterAll(async () => {
  await router.close();
  await provider.shutdown();
});

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };

async function spansOf(query: string): Promise<ReadableSpan[]> {
  exporter.reset();
  await router.ask(query, { headers });
  return exporter.getFinishedSpans();
}
const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan[] =>
  spans.filter((one) => one.name === name);

describe('a trace', () => {
  const query = 'query Page { users { name reviews { text } } }';

  test('goes on from the caller, with one span for each stage and each fetch', async () => {
    const spans = await spansOf(query);
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      'fetch reviews',
      'fetch users',
      'graphql',
      'graphql.parse',
      'graphql.plan',
      'graphql.validate',
    ]);
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
    const [root] = named(spans, 'graphql');
    expect(root?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
    expect(root?.attributes).toEqual({
      'graphql.operation.type': 'query',
      'graphql.operation.name': 'Page',
      'graphql.document.hash': expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    for (const span of spans) {
      if (span !== root) expect(span.parentSpanContext?.spanId).toBe(root?.spanContext().spanId);
    }
    const [fetched] = named(spans, 'fetch users');
    expect(fetched?.attributes).toEqual({
      'graphql.subgraph.name': 'users',
      'graphql.operation.type': 'query',
      'graphql.subgraph.status': 'ok',
    });
    // The subgraph's own span is a child of the fetch.
    expect(router.seen.at(-1)?.['traceparent']).toBe(`00-${traceId}-${fetched?.spanContext().spanId ?? ''}-01`);
  });

  test('has no stages that were not gone through again', async () => {
    const spans = await spansOf(query);
    expect(spans.map(({ name }) => name).toSorted()).toEqual(['fetch reviews', 'fetch users', 'graphql']);
  });

  test('tells of errors by their codes', async () => {
    const spans = await spansOf('{ coded }');
    expect(named(spans, 'fetch users')[0]?.attributes['graphql.subgraph.status']).toBe('errors');
    expect(named(spans, 'graphql')[0]?.attributes['graphql.error.codes']).toEqual(['NOT_FOUND']);
  });

  test('that nobody records has no spans', async () => {
    exporter.reset();
    await router.ask(query, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-00` } });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

test.each([
  [`00-${traceId}-00f067aa0ba902b7-01`, true],
  [`00-${traceId}-00f067aa0ba902b7-03`, true],
  [`00-${traceId}-00f067aa0ba902b7-00`, false],
  [`00-${traceId}-00f067aa0ba902b7-02`, false],
  ['', false],
  [undefined, false],
])('%s is recorded: %s', (traceparent, expected) => expect(isRecorded(traceparent)).toBe(expected));

test('outside a trace a stage is its work and nothing else', () => {
  const result = {};
  expect(inStage('stage', () => result)).toBe(result);
  expect(currentTraceparent()).toBeUndefined();
});

describe('the access log', () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'info', base: null, timestamp: false },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );

  test('has a line for each operation with errors, or for all, and never who asked or what for', () => {
    const summary = { operation: undefined, codes: ['GRAPHQL_PARSE_FAILED'] };
    createAccessLog(log, 'errors')(summary, 1.4);
    createAccessLog(log, 'errors')({ ...summary, codes: [] }, 1);
    createAccessLog(log, 'all')({ ...summary, codes: [] }, 2);
    expect(lines).toEqual([
      { level: 30, kind: 'unknown', milliseconds: 1, codes: ['GRAPHQL_PARSE_FAILED'], msg: 'operation answered' },
      { level: 30, kind: 'unknown', milliseconds: 2, msg: 'operation answered' },
    ]);
  });
});

test('requests that are refused are counted by their codes, wherever they end', async () => {
  const post = (body: string, more: Readonly<Record<string, string>> = {}): Promise<Response> =>
    fetch(router.url, { method: 'POST', headers: { 'content-type': 'application/json', ...more }, body });
  const query = JSON.stringify({ query: '{ users { id } }' });
  await post('{');
  await post(query, { 'content-type': 'text/plain' });
  await post(query, { authorization: 'Bearer none' });
  await post('{}');
  const text = await (await fetch(`${router.origin}/metrics`)).text();
  expect(text).toMatch(/^router_requests_refused_total\{code="BAD_REQUEST",service="router"\} 1$/m);
  expect(text).toMatch(/^router_requests_refused_total\{code="UNSUPPORTED_MEDIA_TYPE",service="router"\} 1$/m);
  const unknown = 'router_operations_total\\{kind="unknown",name="",outcome=';
  expect(text).toMatch(new RegExp(`${unknown}"UNAUTHENTICATED",service="router"\\} 1`));
  expect(text).toMatch(new RegExp(`${unknown}"BAD_REQUEST",service="router"\\} 1`));
});

test('operations over a socket are counted as those over HTTP', async () => {
  const client = createClient({ url: router.url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  const ask = async (query: string): Promise<unknown> => (await client.iterate({ query }).next()).value;
  expect(await ask('query OverSocket { users { name } }')).toEqual({
    data: { users: [{ name: 'Ada' }, { name: 'Bo' }] },
  });
  expect(await ask('mutation OverSocket { rename(id: 1, name: "x") { id } }')).toEqual({
    data: { rename: { id: '1' } },
  });
  expect(await ask('query OverSocket { coded }')).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  await client.dispose();
  const text = await (await fetch(`${router.origin}/metrics`)).text();
  const counted = [
    ...text.matchAll(/router_operations_total\{kind="(\w+)",name="OverSocket",outcome="(\w+)".*\} (\d+)/g),
  ];
  expect(counted.map(([, ...values]) => values.join(' ')).toSorted()).toEqual([
    'mutation ok 1',
    'query NOT_FOUND 1',
    'query ok 1',
  ]);
  expect(text).toMatch(/^router_operation_duration_seconds_count\{.*kind="mutation".*\} 1$/m);
});

test('only so many names of operations are counted each by itself, whatever clients send', async () => {
  const metrics = createRouterMetrics({ maxOperationNames: 2 });
  for (let at = 0; at < 100; at++) metrics.operation({ kind: 'query', name: `N${String(at)}`, outcome: 'ok' }, 0.001);
  metrics.operation({ kind: 'query', name: 'N1', outcome: `CODE_${'x'.repeat(50)}` }, 0.001);
  const text = await metrics.registry.getSingleMetricAsString('router_operations_total');
  const labels = [...text.matchAll(/name="(\w*)",outcome="(\w+)"[^}]*\} (\d+)/g)].map(([, ...values]) => values);
  expect(labels).toEqual([
    ['N0', 'ok', '1'],
    ['N1', 'ok', '1'],
    ['other', 'ok', '98'],
    ['N1', 'OTHER', '1'],
  ]);
});
