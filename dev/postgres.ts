// A real PostgreSQL of one's own on the loopback interface: made when new, supervised, gone when this process is gone.
import { createHmac } from 'node:crypto';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cacheFolder } from './folders.ts';
import { holdFreePort } from './ports.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { copyTemplate, giveToServer, initialise, serverEnvironment } from './postgres-cluster.ts';
import { commandOf } from './processes.ts';
import { startOrCleanUp, supervise } from './supervisor.ts';
import type { ProcessEvent, SupervisedProcess } from './supervisor.ts';

export interface PostgresOptions {
  /** Where everything lives; made when it is not there, with a new database cluster in it. */
  readonly dataDir: string;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /**
   * For tests: begins with a copy of a prepared cluster, does not wait for the disk (a killed server loses nothing, a machine
   * that loses power does), and `close` removes `dataDir`.
   */
  readonly disposable?: boolean | undefined;
  /** Default: `postgres.log` in `dataDir`. */
  readonly logFile?: string | undefined;
  readonly onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export interface Postgres {
  readonly port: number;
  /** To kill, stop and start it. It starts again by itself, on the same port, when it dies. */
  readonly process: SupervisedProcess;
  /** The address of a database that `createDatabase` made, as its owner; of `postgres`, as the superuser. */
  url(database: string): string;
  /**
   * Makes a database, and a user of the same name who owns it and can reach no other, and gives its address. Does nothing when it
   * was made before. The name is lower-case letters, digits and underscores.
   */
  createDatabase(name: string): Promise<string>;
  /** Ends it for good. */
  close(): Promise<void>;
}

/** Starts PostgreSQL and resolves when it takes connections. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { dataDir, disposable = false } = options;
  const cluster = join(dataDir, 'cluster');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const binaries = await findPostgresBinaries(join(disposable ? cacheFolder : dataDir, 'postgres-lib'));
  if (!(await exists(cluster))) {
    if (disposable) await copyTemplate(binaries, cacheFolder, dataDir);
    else await initialise(binaries, dataDir, []);
  }
  const secret = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
  const held = options.port === undefined ? await holdFreePort() : undefined;
  const port = options.port ?? held?.port ?? 0;

  const passwordOf = (user: string): string =>
    user === 'postgres' ? secret : createHmac('sha256', secret).update(user).digest('hex');
  const url = (database: string): string =>
    `postgres://${database}:${passwordOf(database)}@127.0.0.1:${String(port)}/${database}`;

  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    log_checkpoints: 'off',
    ...(disposable ? { fsync: 'off', full_page_writes: 'off' } : {}),
  };
  const server = supervise({
    name: 'postgres',
    command: binaries.postgres,
    args: ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${String(value)}`])],
    environment: serverEnvironment(binaries),
    refusesRoot: true,
    logFile: options.logFile ?? join(dataDir, 'postgres.log'),
    readyWhen: { line: /database system is ready to accept connections/ },
    // Fast shutdown: ends sessions and writes a checkpoint. The default would wait for every session to end by itself.
    stopSignal: 'SIGINT',
    deathSignal: 'SIGINT',
    prepare: async () => {
      await giveToServer(cluster);
      await awaitPredecessor(cluster);
    },
    onEvent: options.onEvent,
  });

  const close = await startOrCleanUp(server, async () => {
    held?.release();
    if (disposable) await rm(dataDir, { recursive: true, force: true });
  });

  return {
    port,
    process: server,
    url,
    async createDatabase(name) {
      if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`"${name}" cannot be the name of a database here`);
      const mark = join(dataDir, 'databases', name);
      if (!(await exists(mark))) {
        await createOwnedDatabase(url('postgres'), name, passwordOf(name));
        await mkdir(join(dataDir, 'databases'), { recursive: true });
        await writeFile(mark, '');
      }
      return url(name);
    },
    close,
  };
}

async function createOwnedDatabase(superuserUrl: string, name: string, password: string): Promise<void> {
  // Loaded only here: it takes a third of a second, and later runs find their databases made.
  const { MikroORM } = await import('@mikro-orm/postgresql');
  const orm = await MikroORM.init({
    clientUrl: superuserUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    pool: { min: 0, max: 1 },
  });
  try {
    const connection = orm.em.getConnection();
    const has = async (query: string): Promise<boolean> =>
      (await connection.execute<unknown[]>(query, [name])).length > 0;
    if (!(await has('select 1 from pg_roles where rolname = ?'))) {
      await connection.execute(`create role "${name}" login password '${password}'`);
    }
    if (!(await has('select 1 from pg_database where datname = ?'))) {
      await connection.execute(`create database "${name}" owner "${name}"`);
    }
    await connection.execute(`revoke connect on database "${name}" from public`);
  } finally {
    await orm.close();
  }
}

const predecessorTimeoutMs = 15_000;

/**
 * A server whose starter was killed a moment ago is still shutting down: waits for it. What a server that was itself killed left
 * behind is removed, as its pid may be another program's by now.
 */
async function awaitPredecessor(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const deadline = performance.now() + predecessorTimeoutMs;
  for (;;) {
    const pid = await readFile(pidFile, 'utf8').then(
      (text) => Number(text.split('\n')[0]),
      () => undefined,
    );
    if (pid === undefined) return;
    if (commandOf(pid)?.includes(cluster) !== true) {
      await rm(pidFile, { force: true });
      return;
    }
    if (performance.now() > deadline) throw new Error(`another PostgreSQL (pid ${String(pid)}) uses ${cluster}`);
    await pause(50);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
