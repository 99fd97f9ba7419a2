// The database of a subgraph: connection pool, migrations, and the one way to run a transaction.
import { AsyncResource } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DeadlockException, LockMode, MikroORM } from '@mikro-orm/core';
import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { engineOf } from './database-engines.ts';
import type { ConnectionCounts, Engine } from './database-engines.ts';
import { InboxEntry } from './inbox.ts';
import { joinCalls } from './join-calls.ts';
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

export interface Database {
  readonly engine: Engine;
  /** A fresh entity manager for reads outside a transaction. */
  read(): EntityManager;
  /**
   * Runs `work` in one transaction (read committed) and commits; runs it again when the server breaks a deadlock by ending this
   * transaction, so it must touch nothing else.
   */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  /**
   * As above, and records `message` in the inbox; when it was recorded before, `work` does not run and the answer is undefined: the
   * event takes effect once. Messages of one consumer that are here at once share a transaction.
   */
  transaction<T>(work: (em: EntityManager) => Promise<T>, message: InboxMessage): Promise<T | undefined>;
  /**
   * As `transaction`, for work of one kind that is asked for often: what is here at once shares one transaction (group commit), each
   * in its own trace. Every work must be about another aggregate. When one of them fails all are rolled back, and run one by one.
   */
  sharedTransaction<T>(kind: string, work: (em: EntityManager) => Promise<T>): Promise<T>;
  /** Takes part in every transaction; returns how to stop. */
  onTransaction(hook: TransactionHook): () => void;
  /** Applies what is missing of the migrations. Safe when several processes do it at once. */
  migrate(): Promise<void>;
  /** The pool as it is now. */
  connections(): Promise<ConnectionCounts>;
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

/** Milliseconds after which the server gives up a statement, so that a stuck one holds up nobody for long. */
const statementTimeoutMs = 15_000;

/** Deadlocks are ordinary on MariaDB, which locks index entries. One transaction of each always goes on, so this ends. */
const deadlockAttempts = 10;
const isDeadlock = (error: unknown): boolean => error instanceof DeadlockException;

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
  const hooks = new Set<TransactionHook>();

  /** Runs works in one transaction; rejects when nothing of it took effect. */
  const attempt = async (works: readonly Work[]): Promise<PromiseSettledResult<unknown>[]> => {
    const em = fork();
    await em.begin();
    let results;
    try {
      results = await runIn(em, works);
      if (results !== undefined) for (const hook of hooks) await hook.beforeCommit(em);
      await em.flush();
    } catch (error) {
      await em.rollback().catch(() => undefined);
      throw error;
    }
    try {
      await em.commit();
    } catch (error) {
      await em.rollback().catch(() => undefined);
      if (isDeadlock(error)) throw error;
      // Whether it took effect is not known, so it is not done again here.
      return works.map(() => ({ status: 'rejected', reason: error }));
    }
    if (results === undefined) return works.map(() => ({ status: 'fulfilled', value: undefined }));
    for (const hook of hooks) hook.afterCommit(em);
    return results;
  };

  const alone = async (work: Work): Promise<unknown> => {
    for (let tried = 1; ; tried += 1) {
      try {
        const [result] = await attempt([work]);
        if (result?.status === 'rejected') throw result.reason;
        return result?.value;
      } catch (error) {
        if (tried === deadlockAttempts || !isDeadlock(error)) throw error;
        await delay(Math.random() * 5 * tried);
      }
    }
  };

  const kinds = new Map<string, (work: Work) => Promise<unknown>>();
  const shared = (kind: string, { run, message }: Work): Promise<unknown> => {
    const join = kinds.get(kind) ?? joinCalls({ alone, together: attempt });
    kinds.set(kind, join);
    return join({ run: AsyncResource.bind(run), message });
  };

  return {
    engine,
    read: fork,
    transaction: <T>(run: (em: EntityManager) => Promise<T>, message?: InboxMessage) =>
      (message === undefined ? alone({ run, message }) : shared(`inbox ${message.consumer}`, { run, message })) as Promise<T>,
    sharedTransaction: <T>(kind: string, run: (em: EntityManager) => Promise<T>) =>
      shared(kind, { run, message: undefined }) as Promise<T>,
    onTransaction(hook) {
      hooks.add(hook);
      return () => hooks.delete(hook);
    },
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

/** What one caller wants done in a transaction. */
interface Work {
  readonly run: (em: EntityManager) => Promise<unknown>;
  readonly message: InboxMessage | undefined;
}

/** Runs works side by side; undefined when their messages were all recorded before. */
async function runIn(
  em: EntityManager,
  works: readonly Work[],
): Promise<PromiseFulfilledResult<unknown>[] | undefined> {
  const messages = works.flatMap(({ message }) => message ?? []);
  const recorded = messages.length === 0 ? 0 : await recordInInbox(em, messages);
  if (recorded === 0 && messages.length > 0) return undefined;
  if (recorded < messages.length) throw new Error('some of these messages were recorded before: they are told apart one by one');
  const results = await Promise.allSettled(works.map(({ run }) => run(em)));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result;
  });
}

/** How many are here for the first time: a concurrent delivery of the same message waits on the primary key, then sees it taken. */
async function recordInInbox(em: EntityManager, messages: readonly InboxMessage[]): Promise<number> {
  const receivedAt = new Date();
  const inserted = await em
    .createQueryBuilder(InboxEntry)
    .insert(
      messages
        .map(({ consumer, id }) => ({ consumer, eventId: id, receivedAt }))
        // Always in the same order, so that two instances never wait for each other.
        .toSorted((one, other) => (one.eventId < other.eventId ? -1 : 1)),
    )
    .onConflict(['consumer', 'eventId'])
    .ignore()
    .execute<{ affectedRows: number }>('run');
  return inserted.affectedRows;
}
