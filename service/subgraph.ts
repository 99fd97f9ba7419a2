// What the three subgraph processes have in common: one function that opens everything in order and closes it in reverse.
import type { GraphQLResolverMap } from '@apollo/subgraph';
import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import type { StreamName } from '../schema/events.ts';
import { startConsumer } from './consumer.ts';
import type { ConsumerDefinition } from './consumer.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { identityOptions } from './env.ts';
import type { SubgraphEnv } from './env.ts';
import { createIdentity } from './identity.ts';
import type { Viewer } from './identity.ts';
import { registerLagMetrics } from './lag-metrics.ts';
import { configureOrExit, runProcess } from './lifecycle.ts';
import { createLog } from './log.ts';
import type { Logger } from './log.ts';
import { connectBroker } from './nats.ts';
import type { Broker } from './nats.ts';
import { startRelay } from './relay.ts';
import { startSubgraphServer } from './subgraph-server.ts';
import type { SubgraphContext } from './subgraph-server.ts';
import { createMetrics, startTracing } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

/** What a subgraph gets to build itself from. */
export interface SubgraphParts<Config> {
  readonly config: Config;
  /** For what a customer waits for. */
  readonly database: Database;
  /** The same database for consumers and drivers, with connections of its own: however busy they are, requests find theirs free. */
  readonly background: Database;
  readonly broker: Broker;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** Starts something and returns how to stop it. */
export type Starter = () => () => Promise<void>;

export interface SubgraphDefinition<Config extends SubgraphEnv, Context extends SubgraphContext> {
  readonly name: string;
  /** The stream that this subgraph owns and writes. */
  readonly stream: StreamName;
  readonly readConfig: () => Config;
  readonly port: (config: Config) => number;
  readonly databaseUrl: (config: Config) => string;
  readonly entities: readonly EntitySchema[];
  readonly migrations: readonly MigrationObject[];
  /** Runs after the migrations in `main.ts migrate`. */
  readonly afterMigrate?: (parts: { readonly database: Database; readonly config: Config }) => Promise<void>;
  readonly build: (parts: SubgraphParts<Config>) => {
    readonly sdl: string;
    readonly resolvers: GraphQLResolverMap<Context>;
    readonly createContexts: () => (viewer: Viewer | undefined) => Context;
    readonly consumers: readonly ConsumerDefinition[];
    /** Commands served, drivers. */
    readonly starters: readonly Starter[];
  };
}

/** Runs the process: with the argument `migrate` it prepares the database and exits, otherwise it serves until a signal. */
export async function runSubgraph<Config extends SubgraphEnv, Context extends SubgraphContext>(
  definition: SubgraphDefinition<Config, Context>,
): Promise<void> {
  const { name, stream } = definition;
  const config = configureOrExit(definition.readConfig);
  const log = createLog(name, config.LOG_LEVEL);
  const openOwnDatabase = (poolSize: number, forMigration = false): Promise<Database> =>
    openDatabase({
      forMigration,
      url: definition.databaseUrl(config),
      poolSize,
      entities: definition.entities,
      migrations: definition.migrations,
    });

  if (process.argv[2] === 'migrate') {
    try {
      await using resources = new AsyncDisposableStack();
      const database = await openOwnDatabase(config.DATABASE_POOL_SIZE, true);
      resources.defer(() => database.close());
      await database.migrate();
      await definition.afterMigrate?.({ database, config });
      log.info('migrated');
    } catch (error) {
      log.fatal({ error }, 'the database could not be prepared');
      // At once: the pool goes on trying to connect.
      process.exit(1);
    }
    return;
  }

  await runProcess({ log, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS }, async (resources) => {
    resources.defer(startTracing(name, config.OTEL_EXPORTER_OTLP_ENDPOINT));
    const metrics = createMetrics(name);
    const database = await openOwnDatabase(config.DATABASE_POOL_SIZE);
    resources.defer(() => database.close());
    const background = await openOwnDatabase(config.DATABASE_BACKGROUND_POOL_SIZE);
    resources.defer(() => background.close());
    const broker = connectBroker({ servers: config.NATS_URL, name, log });
    resources.defer(() => broker.close());

    const streamSettings = { replicas: config.STREAM_REPLICAS, maxAgeHours: config.STREAM_MAX_AGE_HOURS };
    const { sdl, resolvers, createContexts, consumers, starters } = definition.build({
      ...{ config, database, background, broker, log, metrics },
    });
    registerLagMetrics({ pools: { requests: database, background }, broker, consumers, metrics });
    resources.defer(
      startRelay({ database: background, requests: database, broker, stream, streamSettings, log, metrics }),
    );
    for (const start of starters) resources.defer(start());
    for (const consumer of consumers) {
      const concurrency = config.CONSUMER_CONCURRENCY;
      resources.defer(startConsumer(consumer, { broker, streamSettings, concurrency, log, metrics }));
    }
    const server = await startSubgraphServer<Context>({
      sdl,
      resolvers,
      createContexts,
      verify: createIdentity(identityOptions(config)).verify,
      host: config.HOST,
      port: definition.port(config),
      bodyLimitBytes: config.REQUEST_BODY_LIMIT_BYTES,
      drainMs: config.DRAIN_MS,
      checks: {
        database: { required: true, check: () => database.check() },
        // Told but not required: without the broker orders are still taken, and their events wait in the outbox.
        broker: {
          required: false,
          check: () => (broker.isConnected() ? Promise.resolve() : Promise.reject(new Error('not connected'))),
        },
      },
      log,
      metrics,
    });
    resources.defer(() => server.close());
    log.info({ url: server.url }, 'ready');
  });
}
