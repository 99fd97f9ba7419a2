// For tests: the live engine on a real broker behind a real HTTP server, over a small supergraph of things that change.
import { createClient } from 'graphql-ws';
import type { Client, ClientOptions } from 'graphql-ws';
import { connect } from 'nats';
import type { JetStreamManager, NatsConnection } from 'nats';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { composeSupergraph } from '../../schema/compose.ts';
import { subjectToken } from '../../schema/subject.ts';
import { CodedError } from '../../service/errors.ts';
import type { Identity, Viewer } from '../../service/identity.ts';
import { createLog } from '../../service/log.ts';
import { connectBroker, toNatsHeaders } from '../../service/nats.ts';
import { Registry } from '../../service/telemetry.ts';
import { createErrorMask } from '../errors.ts';
import type { SubgraphRequest } from '../executor/execute.ts';
import { trustedProxies } from '../client-address.ts';
import { createCostLimit } from '../cost-limit.ts';
import { createForwardHeaders } from '../forwarded-headers.ts';
import { unlimited } from '../limits.ts';
import { createOperations } from '../operations.ts';
import { createPersistedOperations } from '../persisted-operations.ts';
import { createRateLimits } from '../rate-limits.ts';
import type { RateLimitOptions } from '../rate-limits.ts';
import type { RequestContext } from '../subgraph-client.ts';
import { loadSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';
import { createAdmission } from '../traffic/admission.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import type { EngineLimits } from './engine.ts';
import type { HydrationClient } from './hydrate.ts';
import { createLive } from './live.ts';
import type { LiveMetrics } from './live-metrics.ts';

const link = (...imports: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(['@key', ...imports])})`;

const eventsSdl = `
  ${link('@composeDirective', '@authenticated', '@requiresScopes')}
    @link(url: "https://baedal.dev/specs/event/v1.0", import: ["@event"])
    @composeDirective(name: "@event")
  directive @event(stream: String!, subject: String!, present: Boolean! = false) on FIELD_DEFINITION
  type Subscription {
    thingChanged(id: ID!, after: String): ThingEvent! @authenticated
      @event(stream: "THINGS", subject: "thing.changed.{viewer.sub}.{args.id}", present: true)
    myThingsChanged(after: String): ThingEvent! @authenticated
      @event(stream: "THINGS", subject: "thing.changed.{viewer.sub}.>")
    allThingsChanged(after: String): ThingEvent! @requiresScopes(scopes: [["things:read"]])
      @event(stream: "THINGS", subject: "thing.changed.>")
  }
  type ThingEvent { cursor: String!, version: Int!, note: String, thing: Thing! }
  type Thing @key(fields: "id", resolvable: false) { id: ID! }
`;
const thingsSdl = `
  ${link()}
  type Query { thing(id: ID!): Thing }
  type Thing @key(fields: "id") { id: ID!, name: String!, size: Int }
`;

/** A supergraph of things; the texts replace parts of the SDL. */
export function composeThings(replace: (sdl: string) => string = (sdl) => sdl): Supergraph {
  return loadSupergraph(
    composeSupergraph([
      { name: 'events', url: 'nats://events', sdl: replace(eventsSdl) },
      { name: 'things', url: 'http://things', sdl: replace(thingsSdl) },
    ]).supergraphSdl,
  );
}

/** Composed once: composition is the slow part. */
export const testSupergraph = composeThings();

/** A token of the tests: `sub`, or `sub scope`, with an expiry. The verifier below reads it back. */
export function tokenOf(sub: string, options: { readonly scope?: string; readonly expiresAt?: number } = {}): string {
  return `Bearer ${sub}|${options.scope ?? ''}|${String(options.expiresAt ?? Date.now() + 3_600_000)}`;
}

export function verifyTestToken(authorization: string | undefined): Promise<Viewer | undefined> {
  if (authorization === undefined) return Promise.resolve(undefined);
  const [sub, scope, expiresAt] = authorization.replace('Bearer ', '').split('|');
  if (sub === undefined || expiresAt === undefined) return Promise.reject(new CodedError('UNAUTHENTICATED'));
  const scopes = new Set((scope ?? '').split(' '));
  return Promise.resolve({ sub, scopes, expiresAt: Number(expiresAt), token: authorization.replace('Bearer ', '') });
}

export const testMask = createErrorMask({
  exposedCodes: new Set(),
  onMasked: (error) => console.error('masked', error),
});

export const { prepare: prepareTestOperation } = createOperations({
  limits: { ...unlimited, depth: 10 },
  introspection: true,
  cacheEntries: 100,
});

/** A stand-in for the subgraph of things: answers entities and `thing`, and keeps what it was asked. */
export function thingsSubgraph() {
  const requests: { readonly request: SubgraphRequest; readonly context: RequestContext }[] = [];
  let gate: Promise<void> = Promise.resolve();
  let onAsked: () => void = () => undefined;
  const thing = (id: unknown) => ({ __typename: 'Thing', id, name: `thing ${String(id)}`, size: 7 });
  const subgraph = {
    requests,
    /** Answers wait until the returned function is called; `asked` is called for each question. */
    hold(asked: () => void = () => undefined): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      onAsked = asked;
      return resolve;
    },
    async fetch(request: SubgraphRequest, context: RequestContext) {
      requests.push({ request, context });
      onAsked();
      await gate;
      const { representations, id } = request.variables as { representations?: { id: string }[]; id?: string };
      if (representations === undefined) return { data: { thing: thing(id) } };
      return { data: { _entities: representations.map((one) => thing(one.id)) } };
    },
  };
  const client: HydrationClient = {
    fetch: subgraph.fetch,
    takesTogether: () => true,
    fetchTogether: (asked) => asked.map((one) => subgraph.fetch(one.request, one.context)),
  };
  return { ...subgraph, client };
}

export interface TestLive {
  /** For WebSockets. */
  readonly url: string;
  readonly httpUrl: string;
  readonly server: Server;
  readonly nats: NatsConnection;
  readonly manager: JetStreamManager;
  readonly metrics: LiveMetrics;
  readonly subgraph: ReturnType<typeof thingsSubgraph>;
  /** What was reported of each operation: kind, name, and code or `ok`. */
  readonly reports: readonly string[];
  /** Stores one change; the version must count up by thing. */
  publish(owner: string, id: string, version: number, more?: Readonly<Record<string, unknown>>): Promise<void>;
  client(token: string | undefined, options?: Partial<ClientOptions>): Client;
  /** The value of a metric, labels added up. */
  value(name: keyof LiveMetrics): Promise<number>;
  /** Goes over to another supergraph. */
  reload(supergraph: Supergraph): void;
  /** The keys have changed: tokens of `sub` do not hold any more. */
  revoke(sub: string): void;
  /** Ends the clients as a process that goes down does. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface TestLiveOptions {
  readonly natsUrl: string;
  readonly limits?: Partial<ConnectionLimits & EngineLimits>;
  readonly cursorSecrets?: readonly string[];
  /** Queries and mutations under way, at most; by default as many as come. */
  readonly maxUnderWay?: number;
  /** Headers that go on to the subgraph; by default none. */
  readonly forward?: readonly string[];
  /** By default nothing is limited. The clock of the rates stands still. */
  readonly rates?: Partial<RateLimitOptions>;
}

/** Makes the stream of the tests on a broker. */
export async function makeThingsStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({
    name: 'THINGS',
    subjects: ['thing.>'],
    allow_direct: true,
    republish: { src: 'thing.changed.>', dest: 'live.thing.changed.>' },
  });
}

/** The same, where it may be there already: what it held is gone. */
export async function renewThingsStream(natsUrl: string): Promise<void> {
  const nats = await connect({ servers: natsUrl });
  const manager = await nats.jetstreamManager();
  await manager.streams.delete('THINGS').catch(() => undefined);
  await makeThingsStream(manager);
  await nats.close();
}

export async function startTestLive(options: TestLiveOptions): Promise<TestLive> {
  const log = createLog('test', 'silent');
  const nats = await connect({ servers: options.natsUrl, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const manager = await nats.jetstreamManager();
  const jetstream = nats.jetstream();
  const broker = connectBroker({ servers: options.natsUrl, name: 'test-router', log });
  await broker.connection;
  const subgraph = thingsSubgraph();
  const reports: string[] = [];
  let supergraph = testSupergraph;
  const revoked = new Set<string>();
  const keyListeners = new Set<() => void>();
  const identity: Identity = {
    async verify(authorization) {
      const viewer = await verifyTestToken(authorization);
      if (viewer !== undefined && revoked.has(viewer.sub)) throw new CodedError('UNAUTHENTICATED');
      return viewer;
    },
    onKeysChanged(listener) {
      keyListeners.add(listener);
      return () => keyListeners.delete(listener);
    },
  };
  const live = createLive({
    supergraph: () => supergraph,
    prepare: prepareTestOperation,
    variableLimits: { depth: 5, values: 1_000 },
    checkCost: createCostLimit({ limits: { ...unlimited, field_cost: 3 }, listSize: 1 }),
    persisted: createPersistedOperations({
      automatic: true,
      cacheEntries: 10,
      unlisted: 'enforce',
      onUnlisted: () => undefined,
      list: undefined,
    }),
    admission: createAdmission({ maxUnderWay: options.maxUnderWay ?? Infinity, maxLoopDelayMs: Infinity }),
    rates: createRateLimits({
      perAddress: 0,
      perViewer: 0,
      burstSeconds: 1,
      trustedProxies: trustedProxies([]),
      now: () => 0,
      ...options.rates,
    }),
    forward: createForwardHeaders(options.forward ?? []),
    isForeign: () => false,
    report: ({ operation, codes }) =>
      void reports.push(`${operation?.kind ?? 'unknown'} ${operation?.name ?? ''} ${codes.join() || 'ok'}`),
    identity,
    client: subgraph.client,
    maskError: testMask,
    log,
    registry: new Registry(),
    limits: { presentGraceMs: 0, drainMs: 100, ...options.limits },
  });
  live.connect(broker, options.cursorSecrets ?? ['secret']);
  const { metrics } = live;
  const server = createServer((request, response) => {
    void (async () => {
      const body = request.method === 'POST' ? ((await json(request)) as Record<string, unknown>) : undefined;
      const query = new URL(request.url ?? '/', 'http://test').searchParams;
      const answered = await live.answer(request, response, body ?? Object.fromEntries(query));
      if (!answered) response.writeHead(406).end();
    })();
  });
  live.attach(server, '/graphql');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`;
  const clients: Client[] = [];

  return {
    url,
    httpUrl: url.replace('ws', 'http'),
    server,
    nats,
    manager,
    metrics,
    subgraph,
    reports,
    async publish(owner, id, version, more = {}) {
      const subject = `thing.changed.${subjectToken(owner)}.${subjectToken(id)}`;
      const headers = { 'ce-aggregateversion': String(version), 'ce-time': new Date().toISOString() };
      const publish = (): Promise<unknown> =>
        jetstream
          .publish(subject, JSON.stringify({ version, note: null, thing: { id }, ...more }), {
            headers: toNatsHeaders(headers),
            // As an outbox does: again until it is known to be stored, and stored once.
            msgID: `${subject} ${String(version)}`,
            timeout: 1_000,
          })
          .catch(publish);
      await publish();
    },
    client(token, more = {}) {
      const client = createClient({
        url,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        lazy: true,
        ...(token === undefined ? {} : { connectionParams: { authorization: token } }),
        ...more,
      });
      clients.push(client);
      return client;
    },
    async value(name) {
      const { values } = await metrics[name].get();
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    reload(next) {
      supergraph = next;
      live.reload();
    },
    revoke(sub) {
      revoked.add(sub);
      for (const listener of keyListeners) listener();
    },
    drain: () => live.close(),
    async close() {
      for (const client of clients) await client.dispose();
      await live.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await broker.close();
      await nats.close();
    },
  };
}

/** Looks again on every turn of the event loop; the test's time-out is the limit. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate);
}

export interface TestResult {
  readonly data?: Record<string, Record<string, unknown>> | null;
  readonly errors?: readonly unknown[];
  readonly extensions?: unknown;
}

/** Reads the results of one subscription one by one. */
export function watch(
  client: Client,
  query: string,
  variables: Record<string, unknown> = {},
): {
  /** The next result; rejects with the errors or the close event that ended the subscription. */
  next(): Promise<TestResult>;
  /** Resolves when the subscription has ended without an error. */
  end(): Promise<void>;
  stop(): Promise<unknown>;
} {
  const results = client.iterate<Record<string, Record<string, unknown>>>({ query, variables });
  return {
    async next() {
      const result = await results.next();
      if (result.done === true) throw new Error('the subscription is complete');
      return result.value as TestResult;
    },
    async end() {
      const { done } = await results.next();
      if (done !== true) throw new Error('a result instead of the end');
    },
    stop: async () => results.return?.(),
  };
}
