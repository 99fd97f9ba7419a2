// The database of a subgraph: connection pool, migrations, and the one way to run a transaction.
import { LockMode, MikroORM } from '@mikro-orm/core';
import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { engineOf } from './database-engines.ts';
import type { ConnectionCounts, Engine } from './database-engines.ts';
import { createTransactions } from './database-transactions.ts';
import type { Transactions } from './database-transactions.ts';
import { InboxEntry } from './inbox.ts';
import { OutboxMessage, RelayLock } from './outbox.ts';

/** Of whichever engine. */
export type EntityManager = SqlEntityManager;

export interface DatabaseOptions {
  /** postgresql://user:password@host:port/database, or mariadb://… */
  readonly url: string;
  readonly poolSize: number;
  /** The entities of the subgraph; outbox and inbox are added. */
  readonly entities: readonly EntitySchema[];
  /** In order; names are recorded in the database. */
  readonly migrations: readonly MigrationObject[];
  /** Statements may take as long as they need. */
  readonly forMigration?: boolean;
  /** For tests: told of each statement before it runs, with `?` where its parameters go. */
  readonly onQuery?: (sql: string, parameters: readonly unknown[]) => void;
}

export interface Database extends Transactions {
  readonly engine: Engine;
  /** A fresh entity manager for reads outside a transaction. */
  read(): EntityManager;
  /** Applies what is missing of the migrations. Safe when several processes do it at once. */
  migrate(): Promise<void>;
  /** The pool as it is now. */
  connections(): Promise<ConnectionCounts>;
  /** Resolves when the database answers and every migration is applied; rejects otherwise. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Locks a row against other writers until the transaction ends. */
export const forUpdate = { lockMode: LockMode.PESSIMISTIC_WRITE } as const;

/** Milliseconds after which the server gives up a statement, so that a stuck one holds up nobody for long. */
const statementTimeoutMs = 15_000;

/** Opens the pool. Connections are made when first needed, so this also succeeds while the database is down. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const engine = engineOf(options.url);
  const limits = { poolSize: options.poolSize, timeoutMs: options.forMigration === true ? 0 : statementTimeoutMs };
  const { migrations, ...engineOptions } = engine.options(limits);
  const orm = await MikroORM.init({
    ...engineOptions,
    clientUrl: options.url,
    entities: [...options.entities, OutboxMessage, RelayLock, InboxEntry],
    extensions: [Migrator],
    migrations: { ...migrations, migrationsList: [...options.migrations], snapshot: false, silent: true },
    forceUtcTimezone: true,
    onQuery(sql, parameters) {
      options.onQuery?.(sql, parameters);
      return sql;
    },
  });
  await engine.prepare(orm, limits);
  const fork = (): EntityManager => orm.em.fork() as EntityManager;
  const transactions = createTransactions(fork);

  return {
    engine,
    read: fork,
    ...transactions,
    // Two migrate jobs at once: the second waits, then finds nothing left to do.
    migrate: () =>
      engine.alone(fork(), async () => {
        await orm.migrator.up();
      }),
    connections: () => engine.connections(orm),
    async check() {
      const pending = await orm.migrator.getPending();
      if (pending.length > 0) throw new Error(`${String(pending.length)} migrations are not applied: run "migrate"`);
    },
    close: () => orm.close(true),
  };
}
