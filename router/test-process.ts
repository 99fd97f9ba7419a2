// For tests: the router as a process of its own, `router/main.ts`, with what it logs.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { spawnTied } from '../dev/processes.ts';

export interface RouterProcess {
  /** Where it serves GraphQL. */
  readonly url: string;
  readonly origin: string;
  readonly pid: number;
  /** Every line that it logs, from its start on. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** The first line with this message, also one that was logged before. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>;
  ask(query: string, headers?: Readonly<Record<string, string>>): Promise<RouterAnswer>;
  /** Ends it as an orchestrator does; gives its exit code. */
  stop(): Promise<number | null>;
}

export interface RouterAnswer {
  readonly status: number;
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions: Readonly<Record<string, unknown>> }[];
}

const main = fileURLToPath(new URL('main.ts', import.meta.url));

/** Runs the router to its end, for when it does not start; gives all that it writes. */
export async function runRouter(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawnRouter(args, environment);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}

/** Starts it on a free port; rejects when it ends before it is ready. */
export async function startRouterProcess(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RouterProcess> {
  const child = spawnRouter(args, { ROUTER_PORT: '0', DRAIN_MS: '0', ...environment });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const log: Readonly<Record<string, unknown>>[] = [];
  const waiting = new Set<() => void>();
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  if (child.stdout !== null) {
    createInterface(child.stdout).on('line', (line) => {
      log.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
      for (const look of waiting) look();
    });
  }
  const logged = (message: string): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = log.find(({ msg }) => msg === message);
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
      look();
      void closed.then(() => reject(new Error(`the router ended: ${stderr} ${JSON.stringify(log.slice(-3))}`)));
    });
  const { url } = await logged('ready');
  if (typeof url !== 'string') throw new Error('the router does not say where it is');

  return {
    url,
    origin: new URL(url).origin,
    pid: child.pid ?? 0,
    log,
    logged,
    async ask(query, headers = {}) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      });
      return { status: response.status, ...((await response.json()) as Omit<RouterAnswer, 'status'>) };
    },
    async stop() {
      child.kill('SIGTERM');
      return (await closed)[0];
    },
  };
}

function spawnRouter(args: readonly string[], environment: Readonly<Record<string, string>>) {
  return spawnTied({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', main, ...args],
    environment: { PATH: process.env['PATH'], ...environment },
    deathSignal: 'SIGKILL',
  });
}
