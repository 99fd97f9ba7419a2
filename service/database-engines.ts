// The database engines that a subgraph can run on, chosen by the URL alone, and everything in which their connections differ.
import type { Socket } from 'node:net';
import type { IDatabaseDriver, MikroORM, Options } from '@mikro-orm/core';
import { MariaDbDriver } from '@mikro-orm/mariadb';
import type { MySqlConnection } from '@mikro-orm/mariadb';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import type { PostgreSqlConnection, SqlEntityManager } from '@mikro-orm/postgresql';

export type EngineName = 'postgresql' | 'mariadb';

export interface Engine {
  readonly name: EngineName;
  /** What MikroORM is to be started with besides the URL. */
  readonly options: (limits: ConnectionLimits) => Partial<Options>;
  /** Runs once, before the first connection. */
  readonly prepare: (orm: MikroORM, limits: ConnectionLimits) => Promise<void>;
  readonly connections: (orm: MikroORM) => Promise<ConnectionCounts>;
  /** Runs `work` while every other process that does the same with this database waits. */
  readonly alone: (em: SqlEntityManager, work: () => Promise<void>) => Promise<void>;
  /** In a transaction: its commit need not wait for the disk. */
  readonly relaxDurability: (em: SqlEntityManager) => Promise<void>;
}

/** How many connections are in use and idle, and how many requests wait for one. */
export interface ConnectionCounts {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
}

export interface ConnectionLimits {
  readonly poolSize: number;
  /** Milliseconds after which the server gives up a statement, or a transaction in which nothing happens. 0: never. */
  readonly timeoutMs: number;
}

const connectTimeoutMs = 5_000;
/** A server that has said nothing for this much longer than a statement may take is not there any more, whatever the network says. */
const silenceMarginMs = 5_000;

/** @throws Error when no engine goes by the URL's scheme. */
export function engineOf(url: string): Engine {
  if (/^postgres(ql)?:/.test(url)) return postgresql;
  if (/^(mariadb|mysql):/.test(url)) return mariadb;
  throw new Error('a database URL begins with postgresql: or mariadb:');
}

/** The engine of a migration's driver. */
export const engineOfDriver = (driver: IDatabaseDriver): EngineName =>
  driver instanceof MariaDbDriver ? 'mariadb' : 'postgresql';

const postgresql: Engine = {
  name: 'postgresql',
  options: ({ poolSize, timeoutMs }) => ({
    driver: PostgreSqlDriver,
    timezone: 'UTC',
    migrations: { transactional: true, allOrNothing: true },
    pool: { min: 0, max: poolSize, idleTimeoutMillis: 15_000 },
    driverOptions: {
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: timeoutMs,
      // What is sent together is not sent one by one, each when the one before is answered.
      pipeline: true,
      idle_in_transaction_session_timeout: timeoutMs,
      onPoolCreated(pool: PgPool) {
        dropDeadConnections(pool, timeoutMs);
        pool.on('connect', prepareStatements);
        pool.on('connect', beginWithFirstStatement);
      },
    },
  }),
  prepare: async () => undefined,
  async connections(orm) {
    const pool: unknown = await (orm.em.getDriver().getConnection() as PostgreSqlConnection).getNativeClient();
    const { totalCount, idleCount, waitingCount } = pool as PgPool;
    return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  },
  async alone(em, work) {
    await em.transactional(async (locked) => {
      await locked.execute('select pg_advisory_xact_lock(720011)');
      await work();
    });
  },
  async relaxDurability(em) {
    await em.execute('set local synchronous_commit = off');
  },
};

const mariadb: Engine = {
  name: 'mariadb',
  options: ({ poolSize }) => ({
    driver: MariaDbDriver,
    timezone: 'Z',
    // A change of a table commits by itself here: migrations are written so that a half-done one can be run again.
    migrations: { transactional: false, allOrNothing: false },
    pool: { min: 0, max: poolSize, idleTimeoutMillis: 15_000 },
    driverOptions: { connectTimeout: connectTimeoutMs },
  }),
  async prepare(orm, { timeoutMs }) {
    (await mysqlPool(orm)).on('connection', (connection) => {
      if (timeoutMs > 0) giveUpWhenSilent(connection.stream, timeoutMs);
      for (const statement of mariadbSession(timeoutMs)) {
        connection.query(statement, (error) => {
          if (error !== null) connection.destroy();
        });
      }
    });
  },
  async connections(orm) {
    const { _allConnections, _freeConnections, _connectionQueue } = await mysqlPool(orm);
    const idle = _freeConnections.length;
    return { used: _allConnections.length - idle, idle, waiting: _connectionQueue.length };
  },
  async alone(em, work) {
    // A lock of the session: the transaction only keeps its connection.
    await em.transactional(async (locked) => {
      const [row] = await locked.execute<{ taken: number | string | null }[]>(
        "select get_lock(concat(database(), '.migrations'), 600) as taken",
      );
      if (Number(row?.taken) !== 1) throw new Error('another migration of this database does not end');
      try {
        await work();
      } finally {
        await locked.execute("select release_lock(concat(database(), '.migrations'))");
      }
    });
  },
  // A setting of the server here (innodb_flush_log_at_trx_commit).
  relaxDurability: async () => undefined,
};

/** What every session begins with: the isolation that our locking is written for, and limits as PostgreSQL is given them. */
const mariadbSession = (timeoutMs: number): string[] => {
  const seconds = String(timeoutMs / 1_000);
  return [
    'set session transaction isolation level read committed',
    `set session max_statement_time = ${seconds}, idle_transaction_timeout = ${seconds}`,
    ...(timeoutMs > 0 ? [`set session innodb_lock_wait_timeout = ${seconds}`] : []),
  ];
};

const mysqlPool = async (orm: MikroORM): Promise<MySqlPool> => {
  const pool: unknown = await (orm.em.getDriver().getConnection() as MySqlConnection).getNativeClient();
  return pool as MySqlPool;
};

/** What is used of the pool of `mysql2`, which counts for nobody. */
interface MySqlPool {
  readonly _allConnections: { readonly length: number };
  readonly _freeConnections: { readonly length: number };
  readonly _connectionQueue: { readonly length: number };
  on(event: 'connection', listener: (connection: MySqlPoolConnection) => void): void;
}
interface MySqlPoolConnection {
  readonly stream: Socket;
  query(sql: string, done: (error: Error | null) => void): void;
  destroy(): void;
}

const giveUpWhenSilent = (stream: Socket, timeoutMs: number): void => {
  stream.setTimeout(timeoutMs + silenceMarginMs, () =>
    stream.destroy(new Error('Connection terminated: the server is silent')),
  );
};

/** What is used of the pool of `pg`, which has no types here. */
interface PgPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  on(event: 'connect' | 'acquire', listener: (client: PgClient) => void): void;
  on(event: 'release', listener: (error: unknown, client: PgClient) => void): void;
}
interface PgClient {
  query: (sql: string | PgQuery, values?: readonly unknown[]) => Promise<PgResult>;
  once(event: 'end', listener: () => void): void;
  release(error: Error): void;
  readonly connection: { readonly stream: Socket };
}

interface PgQuery {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}
interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly unknown[];
}

/**
 * Sends `begin` together with the statement after it: every transaction is one round trip shorter. That statement fails when `begin`
 * does, as both are told by the connection alone.
 */
function beginWithFirstStatement(client: PgClient): void {
  const query = client.query.bind(client);
  let begun = false;
  client.query = async (sql, values = []) => {
    if (sql === 'begin') {
      begun = true;
      return { command: 'BEGIN', rowCount: null, rows: [] };
    }
    if (!begun) return query(sql, values);
    begun = false;
    const { stream } = client.connection;
    stream.cork();
    const both = Promise.all([query('begin'), query(sql, values)]);
    stream.uncork();
    return (await both)[1];
  };
}

/** Has the server prepare each statement that comes with parameters, once for each connection. */
function prepareStatements(client: PgClient): void {
  const query = client.query.bind(client);
  client.query = (sql, values = []) =>
    typeof sql === 'string' && values.length > 0 ? query({ name: nameOf(sql), text: sql, values }) : query(sql);
}

const names = new Map<string, string>();
/** A name that stands for one text only. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `s${String(names.size)}`;
  names.set(text, name);
  return name;
}

const releaseGraceMs = 1_000;

/**
 * Takes connections out of the pool whose server is gone. A transaction whose `begin` or `rollback` fails as its connection broke is
 * never given back (kysely 0.29, controlled transactions), so that a few broken connections would use up the pool for good; and without
 * an answer from a silent peer a query would wait for ever. (mysql2 takes broken connections out by itself.)
 */
function dropDeadConnections(pool: PgPool, timeoutMs: number): void {
  const inUse = new Set<PgClient>();
  pool.on('acquire', (client) => inUse.add(client));
  pool.on('release', (_error, client) => inUse.delete(client));
  pool.on('connect', (client) => {
    if (timeoutMs > 0) giveUpWhenSilent(client.connection.stream, timeoutMs);
    client.once('end', () => {
      // Whoever uses it is told by its failing queries, and has given it back by then if ever.
      setTimeout(() => {
        if (inUse.has(client)) client.release(new Error('Connection terminated'));
      }, releaseGraceMs).unref();
    });
  });
}
