// The gateways that are compared: how each is started on a core of its own, and the installation of those that are no part of the project.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';

export interface Contestant {
  readonly name: string;
  /** The command after `node`, given the supergraph's file, the origin of the subgraphs and the port to listen on. */
  readonly args: (file: string, origin: string, port: number) => readonly string[];
  readonly env?: (origin: string) => Readonly<Record<string, string>>;
  readonly isInstalled?: true;
  /** Only when it is named. */
  readonly isAside?: true;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const peers = here('../../.data/bench-query/');
/** The command after `node` of Hive Gateway, from what `installPeers` installs. */
export const hive = (file: string, port: number): readonly string[] => [
  `${peers}node_modules/@graphql-hive/gateway/dist/bin.js`,
  'supergraph',
  file,
  `--port=${String(port)}`,
  '--host=127.0.0.1',
  '--fork=1',
];

const ours = (file: string, port: number): readonly string[] => [
  here('../../router/main.ts'),
  '--supergraph',
  file,
  '--port',
  String(port),
];

export const contestants: readonly Contestant[] = [
  { name: 'default', args: (file, _, port) => [here('./default-gateway.ts'), file, String(port)] },
  { name: 'hive', args: (file, _, port) => hive(file, port), isInstalled: true },
  {
    name: 'hive, Rust planner',
    args: (file, _, port) => hive(file, port),
    env: () => ({ HIVE_ROUTER_RUNTIME: 'true' }),
    isInstalled: true,
  },
  { name: 'BFF', args: (_, origin, port) => [here('./bff.ts'), origin, String(port)] },
  { name: 'BFF, merging', args: (_, origin, port) => [here('./bff.ts'), origin, String(port), 'merge'] },
  {
    name: 'ours without telemetry',
    args: (file, _, port) => ['--import', here('./without-telemetry.ts'), ...ours(file, port)],
    env: () => ({ AUTH_MODE: 'off' }),
    isAside: true,
  },
  {
    name: 'ours with all telemetry',
    args: (file, _, port) => ours(file, port),
    env: (origin) => ({ AUTH_MODE: 'off', ACCESS_LOG: 'all', OTEL_EXPORTER_OTLP_ENDPOINT: origin }),
    isAside: true,
  },
  { name: 'ours', args: (file, _, port) => ours(file, port), env: () => ({ AUTH_MODE: 'off' }) },
];

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a contestant on a core and waits until it answers. */
export async function start(
  { name, args, env = () => ({}) }: Contestant,
  options: {
    readonly file: string;
    readonly origin: string;
    readonly core: string;
    readonly nodeArgs?: readonly string[];
  },
): Promise<Running> {
  const port = await freePort();
  const child = spawn(
    'taskset',
    [
      '-c',
      options.core,
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...(options.nodeArgs ?? []),
      ...args(options.file, options.origin, port),
    ],
    {
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env(options.origin) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) console.error(`${name} has ended:\n${said}`);
  });
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null || attempt > 3_000) throw new Error(`${name} did not start:\n${said}`);
    const status = await fetch(`http://127.0.0.1:${String(port)}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"query Product($upc: ID!) { product(upc: $upc) { upc } }","variables":{"upc":"p0-1"}}',
    }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) break;
    await pause(10);
  }
  return { name, pid: child.pid ?? 0, port, stop: () => end(child) };
}

/** Installs the peers from this folder's lock file, beside the project, unless they are there already. */
export async function installPeers(): Promise<void> {
  const lock = await readFile(here('./package-lock.json'), 'utf8');
  const installed = await readFile(`${peers}installed.json`, 'utf8').catch(() => '');
  if (lock === installed) return;
  console.log('installing the other gateways below .data/ …');
  await mkdir(peers, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) await copyFile(here(`./${file}`), peers + file);
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: peers,
    stdio: 'inherit',
  });
  const [code] = (await once(npm, 'exit')) as [number];
  if (code !== 0) throw new Error('the other gateways could not be installed');
  await copyFile(here('./package-lock.json'), `${peers}installed.json`);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(timer);
}
