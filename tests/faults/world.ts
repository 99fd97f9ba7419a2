// The real stack with two instances of each service, behind proxies that can make every connection of it bad.
import { join } from 'node:path';
import { connect } from 'nats';
import type { NatsConnection } from 'nats';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { startMariadb } from '../../dev/mariadb.ts';
import { startPostgres } from '../../dev/postgres.ts';
import type { Postgres } from '../../dev/postgres.ts';
import { startStack } from '../../dev/stack.ts';
import { subgraphNames, systemEnvironment } from '../../dev/stack-addresses.ts';
import type { Environment, ProcessName, SubgraphName } from '../../dev/stack-addresses.ts';
import type { Issuer } from '../../dev/issuer.ts';
import type { SupervisedProcess } from '../../dev/supervisor.ts';
import type { EngineName } from '../../service/database-engines.ts';
import { openDatabase } from '../../service/database.ts';
import type { Database } from '../../service/database.ts';
import { startProxy } from './proxy.ts';
import type { Proxy } from './proxy.ts';

export interface World {
  readonly folder: string;
  readonly graphqlUrl: string;
  readonly websocketUrl: string;
  readonly issuer: Issuer;
  /** By part: `order`, `order-2`, …, `router`, `postgres`, `nats`; `mariadb` where payment runs on it. */
  readonly processes: ReadonlyMap<string, SupervisedProcess>;
  /** By link: `order to nats`, `order to postgres`, `router to order`, … */
  readonly links: ReadonlyMap<string, Proxy>;
  readonly postgres: Postgres;
  readonly nats: Nats;
  /** Past the proxies. */
  readonly databases: Readonly<Record<SubgraphName, Database>>;
  /** Past the proxies. */
  readonly broker: NatsConnection;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly folder: string;
  /** Instances of each subgraph; default two. */
  readonly instances?: number;
  /** The engine of payment's database; default `postgresql`. */
  readonly payment?: EngineName | undefined;
  readonly environment?: Partial<Record<ProcessName | 'all', Environment>>;
  /** What the services run instead of `main.ts`. */
  readonly scripts?: Partial<Record<ProcessName, string>>;
}

/** Starts everything; takes about ten seconds. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { folder, instances = 2 } = options;
  await using opened = new AsyncDisposableStack();
  const [postgres, nats] = await Promise.all([
    startPostgres({ dataDir: join(folder, 'postgres'), disposable: true, logFile: logOf(folder, 'postgres') }),
    startNats({ storeDir: join(folder, 'nats'), disposable: true, logFile: logOf(folder, 'nats') }),
  ]);
  opened.defer(() => postgres.close());
  opened.defer(() => nats.close());
  const mariadb =
    options.payment === 'mariadb'
      ? await startMariadb({
          dataDir: join(folder, 'mariadb'),
          databases: ['payment'],
          disposable: true,
          logFile: logOf(folder, 'mariadb'),
        })
      : undefined;
  if (mariadb !== undefined) opened.defer(() => mariadb.close());

  const links = new Map<string, Proxy>();
  const link = async (name: string, target: readonly number[]): Promise<number> => {
    const proxy = await startProxy(target);
    opened.defer(() => proxy.close());
    links.set(name, proxy);
    return proxy.port;
  };
  const urls = new Map<SubgraphName, string>();
  const serverOf = (name: SubgraphName) => (name === 'payment' && mariadb !== undefined ? mariadb : postgres);
  for (const name of subgraphNames) {
    urls.set(name, serverOf(name) === postgres ? await durable(postgres, name) : serverOf(name).url(name));
  }
  const environment: Partial<Record<ProcessName, Environment>> = {};
  const routerUrls: Record<string, string> = {};
  for (const name of subgraphNames) {
    const natsPort = await link(`${name} to nats`, [nats.port]);
    // Called so whichever server it is, so that a seed gives the same faults.
    const databasePort = await link(`${name} to postgres`, [serverOf(name).port]);
    environment[name] = {
      NATS_URL: `nats://127.0.0.1:${String(natsPort)}`,
      [`${name.toUpperCase()}_DATABASE_URL`]: urls
        .get(name)
        ?.replace(`:${String(serverOf(name).port)}/`, `:${String(databasePort)}/`),
      ...options.environment?.[name],
    };
    const httpPort = await link(`router to ${name}`, []);
    routerUrls[`SUBGRAPH_URL_${name.toUpperCase()}`] = `http://127.0.0.1:${String(httpPort)}/graphql`;
  }
  const routerNats = await link('router to nats', [nats.port]);
  const clientPort = await link('clients to router', []);

  const stack = await startStack({
    dataDir: folder,
    inherit: {
      ...systemEnvironment(),
      NATS_URL: nats.url,
      ...Object.fromEntries([...urls].map(([name, url]) => [`${name.toUpperCase()}_DATABASE_URL`, url])),
    },
    environment: {
      all: { SHUTDOWN_TIMEOUT_MS: '5000', ...options.environment?.all },
      ...environment,
      router: { NATS_URL: `nats://127.0.0.1:${String(routerNats)}`, ...routerUrls, ...options.environment?.router },
    },
    instances: { order: instances, payment: instances, delivery: instances },
    ...(options.scripts === undefined ? {} : { scripts: options.scripts }),
  });
  opened.defer(() => stack.stop());

  const processes = new Map<string, SupervisedProcess>([
    ['postgres', postgres.process],
    ['nats', nats.process],
  ]);
  if (mariadb !== undefined) processes.set('mariadb', mariadb.process);
  for (const one of Object.values(stack.instances).flat()) processes.set(one.name, one);
  for (const name of subgraphNames) {
    links.get(`router to ${name}`)?.setTargets(stack.instances[name].map(({ port }) => port));
  }
  links.get('clients to router')?.setTargets(stack.instances.router.map(({ port }) => port));
  const databases = Object.fromEntries(
    await Promise.all(
      subgraphNames.map(async (name) => {
        const database = await openDatabase({ url: urls.get(name) ?? '', poolSize: 3, entities: [], migrations: [] });
        opened.defer(() => database.close());
        return [name, database] as const;
      }),
    ),
  ) as Record<SubgraphName, Database>;
  const broker = await connect({
    servers: nats.url.slice('nats://'.length),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
  });
  opened.defer(() => broker.close());

  const running = opened.move();
  return {
    folder,
    graphqlUrl: `http://127.0.0.1:${String(clientPort)}/graphql`,
    websocketUrl: `ws://127.0.0.1:${String(clientPort)}/graphql`,
    issuer: stack.issuer,
    processes,
    links,
    postgres,
    nats,
    databases,
    broker,
    close: () => running.disposeAsync(),
  };
}

const logOf = (folder: string, part: string): string => join(folder, 'logs', `${part}.log`);

/** A database whose commits outlive a killed server: the disposable server would acknowledge them before they are written. */
async function durable(postgres: Postgres, name: SubgraphName): Promise<string> {
  const url = await postgres.createDatabase(name);
  const database = await openDatabase({ url: postgres.url('postgres'), poolSize: 1, entities: [], migrations: [] });
  await database.read().execute(`alter role "${name}" set synchronous_commit = on`);
  await database.close();
  return url;
}
