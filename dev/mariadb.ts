// A real MariaDB of one's own on the loopback interface, where the machine has the server: supervised, gone when this process is gone.
import { randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheFolder } from './folders.ts';
import { keptSecret } from './kept-secret.ts';
import { giveToServer } from './postgres-cluster.ts';
import { holdFreePort } from './ports.ts';
import { run } from './processes.ts';
import { startOrCleanUp, supervise } from './supervisor.ts';
import type { ProcessEvent, SupervisedProcess } from './supervisor.ts';

export interface MariadbOptions {
  /** Where everything lives; made when it is not there, with a new server's files in it. */
  readonly dataDir: string;
  /** Databases that there shall be, each with a user of the same name who can reach no other. Lower-case letters, digits, underscores. */
  readonly databases: readonly string[];
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** For tests: does not wait for the disk (a killed server loses nothing), and `close` removes `dataDir`. */
  readonly disposable?: boolean | undefined;
  /** Default: `mariadb.log` in `dataDir`. */
  readonly logFile?: string | undefined;
  readonly onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export interface Mariadb {
  readonly port: number;
  /** To kill, stop and start it. It starts again by itself, on the same port, when it dies. */
  readonly process: SupervisedProcess;
  /** The address of one of the databases, as its user. */
  url(database: string): string;
  /** Ends it for good. */
  close(): Promise<void>;
}

interface Programs {
  readonly server: string;
  readonly install: string;
}

/** Whether there is a MariaDB server on this machine: `mariadbd` and `mariadb-install-db`, on PATH or in /usr/sbin. */
export const hasMariadb = (): boolean => findPrograms() !== undefined;

/** Starts MariaDB and resolves when it takes connections. Throws when this machine has none. */
export async function startMariadb(options: MariadbOptions): Promise<Mariadb> {
  const programs = findPrograms();
  if (programs === undefined) {
    throw new Error('There is no mariadbd here. Install one (Debian, Ubuntu: apt-get install mariadb-server).');
  }
  const { dataDir, databases, disposable = false } = options;
  const files = join(dataDir, 'data');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (!(await exists(files))) await install(programs, files, disposable);
  const password = await keptSecret(join(dataDir, 'password'));
  const initFile = join(dataDir, 'init.sql');
  const held = options.port === undefined ? await holdFreePort() : undefined;
  const port = options.port ?? held?.port ?? 0;

  const settings = {
    datadir: files,
    port,
    'bind-address': '127.0.0.1',
    // An abstract one: paths of sockets must be short, and nothing is left behind.
    socket: `@baedal-mariadb-${String(port)}`,
    'pid-file': join(dataDir, 'pid'),
    'init-file': initFile,
    'max-connections': 200,
    'innodb-buffer-pool-size': '64M',
    'innodb-log-file-size': '16M',
    'innodb-flush-log-at-trx-commit': disposable ? 2 : 1,
  };
  const server = supervise({
    name: 'mariadb',
    command: programs.server,
    args: [
      '--no-defaults',
      '--skip-name-resolve',
      ...Object.entries(settings).map(([name, value]) => `--${name}=${String(value)}`),
    ],
    environment: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], LC_ALL: 'C', TZ: 'UTC' },
    refusesRoot: true,
    logFile: options.logFile ?? join(dataDir, 'mariadb.log'),
    readyWhen: { line: /ready for connections/ },
    deathSignal: 'SIGTERM',
    prepare: async () => {
      await writeFile(initFile, databases.map((name) => creation(name, password)).join(''));
      await giveToServer(dataDir);
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
    url: (database) => `mariadb://${database}:${password}@127.0.0.1:${String(port)}/${database}`,
    close,
  };
}

/** Runs at each start; one statement a line, as the server reads it. */
function creation(name: string, password: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`"${name}" cannot be the name of a database here`);
  return [
    `create database if not exists \`${name}\`;`,
    `create or replace user '${name}'@'127.0.0.1' identified by '${password}';`,
    `grant all on \`${name}\`.* to '${name}'@'127.0.0.1';`,
    '',
  ].join('\n');
}

/** Makes the files of a new server; tests copy them from a template that the first one made. */
async function install(programs: Programs, files: string, fromTemplate: boolean): Promise<void> {
  const template = fromTemplate ? join(cacheFolder, 'mariadb') : files;
  if (!(await exists(template))) {
    const unfinished = `${template}-${randomUUID()}`;
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    await giveToServer(unfinished);
    await run({
      command: programs.install,
      args: [
        ...['--no-defaults', `--datadir=${unfinished}`, '--innodb-log-file-size=16M', '--innodb-flush-method=nosync'],
        ...['--auth-root-authentication-method=socket', '--skip-test-db', '--skip-name-resolve'],
      ],
      environment: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], LC_ALL: 'C' },
      refusesRoot: true,
      deathSignal: 'SIGKILL',
    });
    await rename(unfinished, template).catch(async (error: unknown) => {
      await rm(unfinished, { recursive: true, force: true });
      // Another process was faster.
      if (!(await exists(template))) throw error;
    });
  }
  if (template !== files) {
    await run({
      command: 'cp',
      args: ['-Rp', template, files],
      environment: process.env,
      deathSignal: 'SIGKILL',
    });
  }
}

function findPrograms(): Programs | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  const find = (name: string): string | undefined => folders.map((folder) => join(folder, name)).find(isExecutable);
  const [server, installer] = [find('mariadbd'), find('mariadb-install-db')];
  return server === undefined || installer === undefined ? undefined : { server, install: installer };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
