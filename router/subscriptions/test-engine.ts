// For tests: an engine on plain objects, and clients in memory.
import type { Viewer } from '../../service/identity.ts';
import { createLog } from '../../service/log.ts';
import { Registry } from '../../service/telemetry.ts';
import type { CodedError } from '../../service/errors.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import { createCursorCodec } from './cursor.ts';
import { createLiveEngine } from './engine.ts';
import type { EngineLimits } from './engine.ts';
import { batchEntities } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';
import type { Payload } from './payload.ts';
import type { LiveSubscription, Sink } from './subscriber.ts';
import {
  prepareTestOperation,
  testMask,
  testSupergraph,
  thingsSubgraph,
  verifyTestToken,
  tokenOf,
} from './test-live.ts';
import { createTestSource } from './test-source.ts';

interface Result {
  readonly data: Record<string, { cursor: string; version: number; thing?: unknown }> | null;
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
  readonly extensions?: Record<string, unknown>;
}

/** A client in memory. */
export class TestSink implements Sink {
  writable = true;
  viewer: Viewer | undefined;
  forwarded: ForwardedHeaders | undefined;
  subscription: LiveSubscription | undefined;
  readonly results: Result[] = [];
  readonly payloads: Payload[] = [];
  ended: { readonly code: string | undefined } | undefined;

  opened(subscription: LiveSubscription): void {
    this.subscription = subscription;
  }
  send(payload: Payload): void {
    this.payloads.push(payload);
    this.results.push(JSON.parse(payload.bytes.toString()) as Result);
  }
  end(error: CodedError | undefined): void {
    this.ended = { code: error?.code };
  }
  get versions(): (number | undefined)[] {
    return this.results.map(({ data }) => data && Object.values(data)[0]?.version).map((one) => one ?? undefined);
  }
  get lastCursor(): string | undefined {
    const data = this.results.at(-1)?.data;
    return data ? Object.values(data)[0]?.cursor : undefined;
  }
}

/** An engine over a stream in memory. */
export function setUp(limits: Partial<EngineLimits> = {}) {
  const source = createTestSource();
  const subgraph = thingsSubgraph();
  const metrics = createLiveMetrics(new Registry());
  const engine = createLiveEngine({
    source,
    fetch: batchEntities(subgraph.client, metrics),
    cursors: createCursorCodec(['new secret', 'old secret']),
    maskError: testMask,
    log: createLog('test', 'silent'),
    metrics,
    limits: { presentGraceMs: 0, ...limits },
  });
  return {
    source,
    subgraph,
    engine,
    metrics,
    async subscribe(
      query: string,
      {
        sub = 'alice',
        variables = {},
        sink = new TestSink(),
      }: { sub?: string; variables?: Record<string, unknown>; sink?: TestSink } = {},
    ): Promise<TestSink> {
      const prepared = prepareTestOperation(testSupergraph, query, undefined);
      if (!prepared.ok) throw new Error(String(prepared.errors[0]));
      const viewer = await verifyTestToken(tokenOf(sub, { expiresAt: 4_000_000_000_000 }));
      sink.viewer = viewer;
      await engine.subscribe({ operation: prepared.operation, variables, sink });
      return sink;
    },
  };
}

/** Lets everything that is ready run. */
export const settle = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

export const one = 'subscription ($after: String) { thingChanged(id: "a", after: $after) { cursor version } }';
export const mine = 'subscription ($after: String) { myThingsChanged(after: $after) { cursor version } }';
export const a = 'thing.changed.alice.a';
export const b = 'thing.changed.alice.b';
