// The database of a subgraph: connection pool, migrations, and the one way to run a transaction.
import type { Socket } from 'node:net';
import { LockMode } from '@mikro-orm/core';
import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { EntityManager } from '@mikro-orm/postgresql';
import { InboxEntry } from './inbox.ts';
import { OutboxMessage, RelayLock } from './outbox.ts';

export type { EntityManager } from '@mikro-orm/postgresql';

export interface DatabaseOptions {
  /** postgresql://user:password@host:port/database */
  readonly url: string;
  readonly poolSize: number;
  /** The entities of the subgraph; outbox and inbox are added. */
  readonly entities: readonly EntitySchema[];
  /** In order; names are recorded in the database. */
  readonly migrations: readonly MigrationObject[];
  /** For tests: told of each statement before it runs, with `?` where its parameters go. */
  readonly onQuery?: (sql: string, parameters: readonly unknown[]) => void;
}

export interface Database {
  /** A fresh entity manager for reads outside a transaction. */
  read(): EntityManager;
  /**
   * Runs `work` in one transaction (read committed) and commits. With `message`, first records it in the inbox; when it was
   * recorded before, `work` does not run and the answer is undefined: the event takes effect once.
   */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  transaction<T>(work: (em: EntityManager) => Promise<T>, message: InboxMessage): Promise<T | undefined>;
  /** Takes part in every transaction; returns how to stop. */
  onTransaction(hook: TransactionHook): () => void;
  /** Applies what is missing of the migrations. Safe when several processes do it at once. */
  migrate(): Promise<void>;
  /** Resolves when the database answers and every migration is applied; rejects otherwise. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** What runs around the commit of each transaction. */
export interface TransactionHook {
  /** Inside the transaction, when its work is done; what it rejects with rolls everything back. */
  readonly beforeCommit: (em: EntityManager) => Promise<void>;
  /** After the commit, with the same entity manager. */
  readonly afterCommit: (em: EntityManager) => void;
}

/** A message whose effect must happen once for each consumer. */
export interface InboxMessage {
  readonly consumer: string;
  readonly id: string;
}

/** Locks a row against other writers until the transaction ends. */
export const forUpdate = { lockMode: LockMode.PESSIMISTIC_WRITE } as const;

/** The server gives up a statement after this. */
const statementTimeoutMs = 15_000;
/** A server that has said nothing for this long is not there any more, whatever the network says. */
const silenceMs = statementTimeoutMs + 5_000;
const releaseGraceMs = 1_000;

/** What is used of the pool of `pg`, which has no types here. */
interface Pool {
  on(event: 'connect' | 'acquire', listener: (client: PoolClient) => void): void;
  on(event: 'release', listener: (error: unknown, client: PoolClient) => void): void;
}
interface PoolClient {
  once(event: 'end', listener: () => void): void;
  release(error: Error): void;
  readonly connection: { readonly stream: Socket };
}

/**
 * Takes connections out of the pool whose server is gone. A transaction whose `begin` or `rollback` fails as its connection broke is
 * never given back (kysely 0.29, controlled transactions), so that a few broken connections would use up the pool for good; and without
 * an answer from a silent peer a query would wait for ever.
 */
function dropDeadConnections(pool: Pool): void {
  const inUse = new Set<PoolClient>();
  pool.on('acquire', (client) => inUse.add(client));
  pool.on('release', (_error, client) => inUse.delete(client));
  pool.on('connect', (client) => {
    const { stream } = client.connection;
    stream.setTimeout(silenceMs, () => stream.destroy(new Error('Connection terminated: the server is silent')));
    client.once('end', () => {
      // Whoever uses it is told by its failing queries, and has given it back by then if ever.
      setTimeout(() => {
        if (inUse.has(client)) client.release(new Error('Connection terminated'));
      }, releaseGraceMs).unref();
    });
  });
}

/** Opens the pool. Connections are made when first needed, so this also succeeds while the database is down. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const orm = await MikroORM.init({
    clientUrl: options.url,
    entities: [...options.entities, OutboxMessage, RelayLock, InboxEntry],
    extensions: [Migrator],
    migrations: {
      migrationsList: [...options.migrations],
      snapshot: false,
      transactional: true,
      allOrNothing: true,
      silent: true,
    },
    pool: { min: 0, max: options.poolSize, idleTimeoutMillis: statementTimeoutMs },
    driverOptions: {
      connectionTimeoutMillis: 5_000,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      onPoolCreated: dropDeadConnections,
    },
    timezone: 'UTC',
    forceUtcTimezone: true,
    onQuery(sql, parameters) {
      options.onQuery?.(sql, parameters);
      return sql;
    },
  });
  const hooks = new Set<TransactionHook>();

  const transaction = async <T>(
    work: (em: EntityManager) => Promise<T>,
    message?: InboxMessage,
  ): Promise<T | undefined> => {
    let committed: EntityManager | undefined;
    const result = await orm.em.fork().transactional(async (em) => {
      if (message !== undefined && !(await recordInInbox(em, message))) return undefined;
      const done = await work(em);
      for (const hook of hooks) await hook.beforeCommit(em);
      committed = em;
      return done;
    });
    if (committed !== undefined) for (const hook of hooks) hook.afterCommit(committed);
    return result;
  };

  return {
    read: () => orm.em.fork(),
    transaction: transaction as Database['transaction'],
    onTransaction(hook) {
      hooks.add(hook);
      return () => hooks.delete(hook);
    },
    async migrate() {
      await orm.em.fork().transactional(async (em) => {
        // Two migrate jobs at once: the second waits here, then finds nothing left to do.
        await em.execute('select pg_advisory_xact_lock(720011)');
        await orm.migrator.up();
      });
    },
    async check() {
      const pending = await orm.migrator.getPending();
      if (pending.length > 0) throw new Error(`${String(pending.length)} migrations are not applied: run "migrate"`);
    },
    close: () => orm.close(true),
  };
}

/** Whether this is the first time: a concurrent delivery of the same message waits on the primary key, then sees it taken. */
async function recordInInbox(em: EntityManager, { consumer, id }: InboxMessage): Promise<boolean> {
  const inserted = await em
    .createQueryBuilder(InboxEntry)
    .insert({ consumer, eventId: id, receivedAt: new Date() })
    .onConflict(['consumer', 'eventId'])
    .ignore()
    .execute('run');
  return inserted.affectedRows === 1;
}
