// One subgraph as its process opens it, but inside a test: real database, broker and HTTP, and its queries can be counted.
import { randomUUID } from 'node:crypto';
import type { Msg, NatsConnection } from 'nats';
import type { SubgraphDefinition, SubgraphParts } from '../service/subgraph.ts';
import { cloudEventHeaders } from '../service/cloudevent.ts';
import { startConsumer } from '../service/consumer.ts';
import { openDatabase } from '../service/database.ts';
import type { Database } from '../service/database.ts';
import type { SubgraphEnv } from '../service/env.ts';
import { createIdentity } from '../service/identity.ts';
import { createLog } from '../service/log.ts';
import { connectBroker, ensureStream, isNotFound, toNatsHeaders } from '../service/nats.ts';
import type { Broker } from '../service/nats.ts';
import { operationBatchType } from '../service/operation-batch.ts';
import { startRelay } from '../service/relay.ts';
import { startSubgraphServer } from '../service/subgraph-server.ts';
import type { SubgraphContext } from '../service/subgraph-server.ts';
import { createMetrics } from '../service/telemetry.ts';
import { events as eventTable } from '../schema/events.ts';
import type { EventData, EventType, StreamName } from '../schema/events.ts';
import { eventually } from './testing.ts';
import type { Infrastructure } from './testing.ts';

/** What a test gives in place of a `main.ts`. */
export type TestedSubgraph<Context extends SubgraphContext> = Pick<
  SubgraphDefinition<SubgraphEnv, Context>,
  'name' | 'stream' | 'entities' | 'migrations'
> & {
  /** Default: a database of its name in the PostgreSQL at hand. */
  readonly databaseUrl?: string;
  readonly build: (
    parts: Omit<SubgraphParts<SubgraphEnv>, 'config'>,
  ) => ReturnType<SubgraphDefinition<SubgraphEnv, Context>['build']>;
};

/** An answer of `/graphql`. */
export interface Answer {
  readonly status: number;
  readonly data?: unknown;
  readonly errors?: readonly { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
}

export interface Question {
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Whole `Authorization` value. */
  readonly as?: string | undefined;
}

/** An event on its way into a stream. */
export interface Published {
  readonly subject: string;
  readonly type: EventType;
  readonly headers: Readonly<Record<string, string>>;
  /** Its data, as it was sent. */
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface TestSubgraph {
  readonly url: string;
  readonly database: Database;
  readonly broker: Broker;
  /** Every statement so far; a test empties it before it counts. */
  readonly statements: { readonly sql: string; readonly parameters: readonly unknown[] }[];
  ask(query: string, question?: Question): Promise<Answer>;
  /** Asks the same of several viewers' things in one request, as the router does. */
  askTogether(query: string, questions: readonly Question[]): Promise<readonly Omit<Answer, 'status'>[]>;
  /** An `Authorization` value. */
  bearer(sub: string, scope?: string): Promise<string>;
  /** Publishes an event as its owner would; gives its id. */
  publish<Type extends EventType>(type: Type, data: EventData<Type>, version?: number): Promise<string>;
  /** Every event of an order that was published so far, oldest first. */
  published(orderId: string): readonly Published[];
  /** Waits for an event of an order, unless it was published before. */
  event(type: EventType, orderId: string, holds?: (payload: Published['payload']) => boolean): Promise<Published>;
  /** Resolves when a durable has handled all that its stream holds: acknowledged or parked. */
  handled(stream: StreamName, durable: string): Promise<void>;
  /** How many rows each table has. */
  count(...tables: string[]): Promise<number[]>;
  close(): Promise<void>;
}

const streamSettings = { replicas: 1, maxAgeHours: 1 };

/** Opens it in the order of `runSubgraph`, on a database of its name, with every stream there already. */
export async function startTestSubgraph<Context extends SubgraphContext>(
  { postgres, nats, issuer }: Infrastructure,
  definition: TestedSubgraph<Context>,
): Promise<TestSubgraph> {
  const { name, stream } = definition;
  const log = createLog(name, 'silent');
  const metrics = createMetrics(name);
  const statements: TestSubgraph['statements'] = [];
  const resources = new AsyncDisposableStack();

  const database = await openDatabase({
    url: definition.databaseUrl ?? (await postgres.createDatabase(name)),
    poolSize: 20,
    entities: definition.entities,
    migrations: definition.migrations,
    onQuery: (sql, parameters) => void statements.push({ sql, parameters }),
  });
  resources.defer(() => database.close());
  await database.migrate();
  const broker = connectBroker({ servers: nats.url, name, log });
  resources.defer(() => broker.close());
  const connection = await broker.connection;
  const manager = await connection.jetstreamManager();
  for (const each of ['ORDER', 'PAYMENT', 'DELIVERY'] as const) await ensureStream(manager, each, streamSettings);

  const events = watchEvents(connection);
  await connection.flush();

  const { sdl, resolvers, createContexts, consumers, starters } = definition.build({
    database,
    background: database,
    broker,
    log,
    metrics,
  });
  resources.defer(startRelay({ database, broker, stream, streamSettings, log, metrics }));
  for (const start of starters) resources.defer(start());
  for (const consumer of consumers) {
    resources.defer(startConsumer(consumer, { broker, streamSettings, concurrency: 8, log, metrics }));
  }
  const { jwksFile: jwks, issuer: issuerName, audience } = issuer;
  const server = await startSubgraphServer<Context>({
    sdl,
    resolvers,
    createContexts,
    verify: createIdentity({ jwks, issuer: issuerName, audience }).verify,
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes: 1_048_576,
    drainMs: 0,
    checks: { database: { required: true, check: () => database.check() } },
    log,
    metrics,
  });
  resources.defer(() => server.close());

  return {
    url: server.url,
    database,
    broker,
    statements,
    async ask(query, { variables = {}, as } = {}) {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(as === undefined ? {} : { authorization: as }) },
        body: JSON.stringify({ query, variables }),
      });
      return { status: response.status, ...((await response.json()) as Pick<Answer, 'data' | 'errors'>) };
    },
    async askTogether(query, questions) {
      const operations = questions.map(({ variables, as }) => ({ query, variables, authorization: as }));
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': operationBatchType },
        body: JSON.stringify(operations),
      });
      return (await response.json()) as Omit<Answer, 'status'>[];
    },
    bearer: async (sub, scope) => `Bearer ${await issuer.token({ sub, scope })}`,
    async publish(type, data, version = 1) {
      const id = randomUUID();
      const aggregateId = 'orderId' in data ? data.orderId : id;
      const meta = { id, source: 'test', time: new Date().toISOString(), aggregateId, version, traceparent: undefined };
      const subject = (eventTable[type].subject as (data: unknown) => string)(data);
      const headers = toNatsHeaders(cloudEventHeaders(type, meta));
      await connection.jetstream().publish(subject, JSON.stringify(data), { msgID: id, headers });
      return id;
    },
    ...events,
    async handled(ofStream, durable) {
      await eventually(async () => {
        const info = await manager.consumers.info(ofStream, durable).catch((error: unknown) => {
          // It is made a moment after the start.
          if (!isNotFound(error)) throw error;
        });
        return info?.num_pending === 0 && info.num_ack_pending === 0;
      });
    },
    count: async (...tables) => {
      const counts = tables.map((table) => `(select count(*) from ${table}) as ${table}`).join(', ');
      const [row] = await database.read().execute<Record<string, number | string>[]>(`select ${counts}`);
      return tables.map((table) => Number(row?.[table]));
    },
    close: () => resources.disposeAsync(),
  };
}

/** Listens where the streams listen. */
function watchEvents(connection: NatsConnection): Pick<TestSubgraph, 'published' | 'event'> {
  const all: Published[] = [];
  const waiting = new Set<() => void>();
  const callback = (_: unknown, message: Msg): void => {
    const headers = Object.fromEntries([...(message.headers ?? [])].map(([name, [value = '']]) => [name, value]));
    const type = headers['ce-type'] as EventType;
    all.push({ subject: message.subject, type, headers, payload: message.json() });
    for (const look of waiting) look();
  };
  for (const subject of ['order.*.>', 'payment.*.>', 'delivery.*.>']) connection.subscribe(subject, { callback });
  const published = (orderId: string): Published[] => all.filter(({ headers }) => headers['ce-subject'] === orderId);
  return {
    published,
    event: (type, orderId, holds = () => true) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = published(orderId).find((each) => each.type === type && holds(each.payload));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}
