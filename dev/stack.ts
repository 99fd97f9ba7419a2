// The whole system on this machine: PostgreSQL, NATS, an issuer, the migrations and the four processes. `npm start` and tests run this.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './folders.ts';
import { openIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { keptSecret } from './kept-secret.ts';
import { startNats } from './nats.ts';
import type { Nats } from './nats.ts';
import { holdFreePort } from './ports.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import { run } from './processes.ts';
import {
  choosePorts,
  databaseVariable,
  processEnvironment,
  processNames,
  reachableHost,
  subgraphNames,
  systemEnvironment,
} from './stack-addresses.ts';
import type { Environment, ProcessName, SubgraphName } from './stack-addresses.ts';
import { supervise } from './supervisor.ts';
import type { ProcessState, SupervisedProcess } from './supervisor.ts';

/** What happens to a part of the stack. */
export interface StackEvent {
  /** `postgres`, `nats`, a process name, or `order-2` for the second instance of order. */
  readonly part: string;
  /** `waiting`: for other parts, before its first start. `external`: not started here. */
  readonly state: ProcessState | 'waiting' | 'migrating' | 'external';
  readonly address: string;
  readonly pid?: number | undefined;
  readonly restarts?: number;
  /** For a person. */
  readonly detail?: string | undefined;
}

export interface StackOptions {
  /** Where databases, streams, keys and logs are kept. */
  readonly dataDir: string;
  /** `default`: the addresses of the README, or the next free ones. `free`: any, so that many stacks run at once. Default `free`. */
  readonly ports?: 'default' | 'free';
  /** For tests: does not wait for the disk, and `stop` removes `dataDir`. */
  readonly disposable?: boolean;
  /**
   * What every process inherits. Here the stack also looks for `*_DATABASE_URL` and `NATS_URL` of servers to use instead of its own,
   * and, with default ports, for `*_PORT`. Absent: none of them, and only what programs need to run at all.
   */
  readonly inherit?: Environment;
  /** Variables besides, or instead of those that the stack sets: for all processes, or for the instances of one. */
  readonly environment?: Partial<Readonly<Record<ProcessName | 'all', Environment>>>;
  /** How many of each; default one. Those after the first get free ports, and the router talks to the first. */
  readonly instances?: Partial<Readonly<Record<ProcessName, number>>>;
  /** Lines for the NATS server's configuration file. */
  readonly natsConfigExtra?: string;
  /** What a process runs, as the arguments of `node`. Default: its `main.ts`. */
  readonly scripts?: Partial<Readonly<Record<ProcessName, string>>>;
  /** Gives up the start; what was started is ended. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: StackEvent) => void;
  /** Told what a person should know: a port other than usual, a download. */
  readonly say?: (sentence: string) => void;
}

/** One of the processes, restarted when it dies. */
export interface StackProcess extends SupervisedProcess {
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** What `/health/ready` answers now; status 0 when nobody answers. */
  health(): Promise<{ readonly status: number; readonly body: unknown }>;
}

export interface Stack {
  /** The router's GraphQL address. The same path takes WebSockets. */
  readonly graphqlUrl: string;
  readonly websocketUrl: string;
  /** The first instance of each. */
  readonly processes: Readonly<Record<ProcessName, StackProcess>>;
  readonly instances: Readonly<Record<ProcessName, readonly StackProcess[]>>;
  /** Absent when every database is external. */
  readonly postgres: Postgres | undefined;
  /** Absent when NATS is external. */
  readonly nats: Nats | undefined;
  readonly databaseUrls: Readonly<Record<SubgraphName, string>>;
  readonly natsUrl: string;
  readonly issuer: Issuer;
  /** Ends everything in good order: router, subgraphs, NATS and PostgreSQL. */
  stop(): Promise<void>;
  /** Ends everything at once. */
  kill(): Promise<void>;
}

/**
 * Starts everything and resolves when every process says that it is ready.
 * @throws Error, for a person, of the first part that does not come up; PortError for a port. What was started has been ended then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir, disposable = false, signal, onEvent = () => undefined, say } = options;
  const inherited = options.inherit ?? systemEnvironment();
  const host = reachableHost(options.environment?.all?.['HOST'] || inherited['HOST']);
  const logFile = (part: string): string => join(dataDir, 'logs', `${part}.log`);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });

  await using opened = new AsyncDisposableStack();
  if (disposable) opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const ports = await choosePorts(options.ports ?? 'free', inherited, say ?? (() => undefined), opened);
  const everything: SupervisedProcess[] = [];
  const giveUp = (): void => {
    for (const one of everything) void one.stop();
  };
  signal?.addEventListener('abort', giveUp);

  const issuer = await openIssuer(join(dataDir, 'issuer'));
  const cursorSecret = await keptSecret(join(dataDir, 'cursor-secret'));

  const openNats = async (): Promise<{ nats: Nats | undefined; natsUrl: string }> => {
    const external = inherited['NATS_URL'];
    if (external) {
      onEvent({ part: 'nats', state: 'external', address: withoutPassword(external) });
      return { nats: undefined, natsUrl: external };
    }
    const address = `nats://127.0.0.1:${String(ports.nats)}`;
    const nats = await startNats({
      storeDir: join(dataDir, 'nats'),
      port: ports.nats,
      configExtra: options.natsConfigExtra,
      disposable,
      logFile: logFile('nats'),
      onEvent: (event) => onEvent({ part: 'nats', address, ...event }),
      say,
    });
    opened.defer(() => nats.close());
    everything.push(nats.process);
    return { nats, natsUrl: nats.url };
  };

  const openDatabases = async (): Promise<{
    postgres: Postgres | undefined;
    databaseUrls: Record<SubgraphName, string>;
  }> => {
    const address = `127.0.0.1:${String(ports.postgres)}`;
    const external = subgraphNames.filter((name) => inherited[databaseVariable(name)]);
    let postgres: Postgres | undefined;
    if (external.length < subgraphNames.length) {
      postgres = await startPostgres({
        dataDir: join(dataDir, 'postgres'),
        port: ports.postgres,
        disposable,
        logFile: logFile('postgres'),
        onEvent: (event) => onEvent({ part: 'postgres', address, ...event }),
      });
      opened.defer(postgres.close);
      everything.push(postgres.process);
    } else {
      const hosts = new Set(subgraphNames.map((name) => hostOf(inherited[databaseVariable(name)])));
      onEvent({ part: 'postgres', state: 'external', address: [...hosts].join(', ') });
    }
    const urls = await Promise.all(
      subgraphNames.map(
        async (name) => [name, inherited[databaseVariable(name)] || (await postgres?.createDatabase(name))] as const,
      ),
    );
    return { postgres, databaseUrls: Object.fromEntries(urls) as Record<SubgraphName, string> };
  };

  for (const part of ['postgres', 'nats', ...processNames] as const) {
    const scheme = part === 'postgres' ? '' : part === 'nats' ? 'nats://' : 'http://';
    onEvent({ part, state: 'waiting', address: `${scheme}${host}:${String(ports[part])}` });
  }
  const [{ nats, natsUrl }, { postgres, databaseUrls }] = await allOrFirstError([openNats(), openDatabases()]);

  const environmentOf = (name: ProcessName, port: number): Environment =>
    processEnvironment(name, {
      ...{ inherited, host, port, ports, natsUrl, databaseUrls, issuer, cursorSecret },
      overrides: { ...options.environment?.all, ...options.environment?.[name] },
    });
  const nodeArguments = (name: ProcessName): string[] => [
    '--disable-warning=ExperimentalWarning',
    options.scripts?.[name] ?? join(root, name === 'router' ? '' : 'subgraphs', name, 'main.ts'),
  ];

  signal?.throwIfAborted();
  await allOrFirstError(
    subgraphNames.map(async (name) => {
      onEvent({ part: name, state: 'migrating', address: `http://${host}:${String(ports[name])}` });
      await run({
        command: process.execPath,
        args: [...nodeArguments(name), 'migrate'],
        workingDirectory: root,
        environment: environmentOf(name, ports[name]),
        deathSignal: 'SIGKILL',
      });
    }),
  );

  signal?.throwIfAborted();
  const openProcess = async (name: ProcessName, index: number): Promise<StackProcess> => {
    const held = index === 0 ? undefined : await holdFreePort();
    if (held !== undefined) opened.defer(held.release);
    const port = held?.port ?? ports[name];
    const part = index === 0 ? name : `${name}-${String(index + 1)}`;
    const url = `http://${host}:${String(port)}`;
    const supervised = supervise({
      name: part,
      command: process.execPath,
      args: nodeArguments(name),
      workingDirectory: root,
      environment: environmentOf(name, port),
      logFile: logFile(part),
      readyWhen: { url: `${url}/health/ready` },
      onEvent: (event) => onEvent({ part, address: url, ...event }),
    });
    everything.push(supervised);
    // Not a copy, which would freeze what the getters say.
    return Object.assign(supervised, { port, url, health: () => askHealth(url) });
  };
  const instances = Object.fromEntries(
    await Promise.all(
      processNames.map(async (name) => {
        const count = options.instances?.[name] ?? 1;
        return [
          name,
          await Promise.all(Array.from({ length: count }, (_, index) => openProcess(name, index))),
        ] as const;
      }),
    ),
  ) as unknown as Stack['instances'];
  const subgraphs = subgraphNames.flatMap((name) => instances[name]);
  opened.defer(async () => {
    await Promise.all(subgraphs.map((one) => one.stop()));
  });
  opened.defer(async () => {
    await Promise.all(instances.router.map((one) => one.stop()));
  });
  await allOrFirstError([...subgraphs, ...instances.router].map((one) => one.start()));

  signal?.throwIfAborted();
  signal?.removeEventListener('abort', giveUp);
  const running = opened.move();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= running.disposeAsync());
  const routerAddress = `${host === '127.0.0.1' ? 'localhost' : host}:${String(ports.router)}/graphql`;
  return {
    graphqlUrl: `http://${routerAddress}`,
    websocketUrl: `ws://${routerAddress}`,
    processes: Object.fromEntries(processNames.map((name) => [name, instances[name][0]])) as Stack['processes'],
    instances,
    postgres,
    nats,
    databaseUrls,
    natsUrl,
    issuer,
    stop,
    async kill() {
      const stopped = stop();
      for (const one of everything) if (one.pid !== undefined) process.kill(one.pid, 'SIGKILL');
      await stopped;
    },
  };
}

async function askHealth(url: string): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
    return { status: response.status, body: await response.json() };
  } catch {
    return { status: 0, body: undefined };
  }
}

/**
 * As Promise.all, but a rejection waits for the others to settle: what they open meanwhile is known by then, and can be closed.
 */
async function allOrFirstError<T extends readonly unknown[]>(work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

const hostOf = (url: string | undefined): string => (url !== undefined && URL.canParse(url) ? new URL(url).host : '?');
const withoutPassword = (urls: string): string => urls.replaceAll(/\/\/[^@/,]*@/g, '//');
