// The database servers that suites run over: each engine once, and loudly without those that this machine does not have.
import { join } from 'node:path';
import { hasMariadb, startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import type { SupervisedProcess } from './supervisor.ts';

export interface DatabaseServer {
  readonly port: number;
  readonly process: SupervisedProcess;
  /** The address of one of the databases that it was started with. */
  url(database: string): string;
  close(): Promise<void>;
}

export interface DatabaseEngine {
  readonly name: 'PostgreSQL' | 'MariaDB';
  /** Starts a server in `folder`, with these databases, and removes its files on `close`. */
  start(folder: string, databases: readonly string[]): Promise<DatabaseServer>;
}

const postgresql: DatabaseEngine = {
  name: 'PostgreSQL',
  async start(folder, databases) {
    const server = await startPostgres({ dataDir: join(folder, 'postgres'), disposable: true });
    for (const name of databases) await server.createDatabase(name);
    return server;
  },
};

const mariadb: DatabaseEngine = {
  name: 'MariaDB',
  start: (folder, databases) => startMariadb({ dataDir: join(folder, 'mariadb'), databases, disposable: true }),
};

/** For `describe.each`. Without a MariaDB server, its part is left out, and standard error says so. */
export function databaseEngines(): readonly DatabaseEngine[] {
  if (hasMariadb()) return [postgresql, mariadb];
  process.stderr.write(
    '\nThere is no mariadbd on this machine: NOT TESTED over MariaDB. (Debian, Ubuntu: apt-get install mariadb-server)\n',
  );
  return [postgresql];
}
