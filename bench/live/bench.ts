// What every scenario runs on: a real nats-server, tokens, stub subgraphs and the router as a process of its own, and questions to them.
import { connect } from 'nats';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { openIssuer } from '../../dev/issuer.ts';
import type { Issuer } from '../../dev/issuer.ts';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { holdFreePort } from '../../dev/ports.ts';
import { subjectToken } from '../../schema/subject.ts';
import { ensureStream } from '../../service/nats.ts';
import type { OpenAnswer } from './clients.ts';
import { residentKb, startChild, stopProcess } from './processes.ts';
import type { Child } from './processes.ts';

export const plainFields =
  'subscription ($orderId: ID!) { orderStatusChanged(orderId: $orderId) { status version reason } }';

/** What a message of `order.status` holds. */
export interface OrderStatus {
  readonly status: string;
  readonly previousStatus: string;
  readonly version: number;
  readonly reason: string | null;
  readonly occurredAt: string;
  readonly order: { readonly id: string; readonly customerId: string };
}

export interface Spec {
  readonly viewer: string;
  readonly token: string;
  readonly orders: readonly string[];
}

export interface RouterProcess {
  readonly pid: number;
  /** For WebSockets. */
  readonly url: string;
  /** Of its inspector; only when asked for. */
  readonly inspectorUrl: string | undefined;
}

export interface Bench {
  /** Whether the short form was asked for. */
  readonly small: boolean;
  readonly folder: string;
  readonly nats: Nats;
  readonly issuer: Issuer;
  readonly router: RouterProcess;
  /** Where the stubs of the subgraphs answer. */
  readonly stubUrl: string;
  /** A child that ends with the benchmark. */
  start(file: string, args?: readonly string[]): Promise<Child>;
  /** Runs at the end, last first. */
  defer(close: () => unknown): void;
  /** One viewer for each socket, each with orders of their own that have a status. */
  viewers(count: number, each: number, oneViewer?: boolean): Promise<Spec[]>;
  /** Has a child open sockets with a subscription to each order. */
  open(
    child: Child,
    sockets: readonly { token: string; orders: readonly string[] }[],
    query: string,
  ): Promise<OpenAnswer>;
  /** Stores one status, as the order's outbox would. */
  publish(viewer: string, order: string, version: number, reason?: string | null): Promise<void>;
  /** A figure of the router, labels added up. */
  metric(name: string): Promise<number>;
  untilMetric(name: string, value: number): Promise<void>;
  /** Resident memory once it has stopped to change: V8 gives pages back some seconds after it has freed them. */
  settledKb(): Promise<number>;
  /** How many subscriptions the broker holds for the router. */
  natsSubscriptions(): Promise<number>;
}

export interface BenchOptions {
  readonly small: boolean;
  /** Whether the subgraphs take several operations in a request, as this project's do. */
  readonly operationBatches?: boolean;
  /** Whether the router is to have an inspector, which reads heap and timers. */
  readonly inspect?: boolean;
}

/** Starts all of it; `opened` ends it. */
export async function startBench(opened: AsyncDisposableStack, options: BenchOptions): Promise<Bench> {
  const { small, operationBatches = true, inspect = false } = options;
  const folder = await mkdtemp(join(tmpdir(), 'bench-live-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const monitor = await holdFreePort();
  opened.defer(() => monitor.release());
  const [nats, issuer] = await Promise.all([
    startNats({
      storeDir: join(folder, 'nats'),
      disposable: true,
      configExtra: `http: "127.0.0.1:${String(monitor.port)}"`,
    }),
    openIssuer(join(folder, 'issuer')),
  ]);
  opened.defer(() => nats.close());
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  opened.defer(() => connection.close());
  await ensureStream(await connection.jetstreamManager(), 'ORDER', { replicas: 1, maxAgeHours: 1 });
  const jetstream = connection.jetstream();
  const start = async (file: string, args: readonly string[] = []): Promise<Child> => {
    const child = await startChild(file, args);
    opened.defer(() => child.stop());
    return child;
  };
  const subgraphs = await start('./stub-subgraphs.ts', operationBatches ? [] : ['single']);
  const stubUrl = await subgraphs.ask<string>({});
  const router = await startRouter(
    opened,
    {
      NATS_URL: nats.url,
      AUTH_JWKS: issuer.jwksFile,
      SUBGRAPH_URL_ORDER: stubUrl,
      SUBGRAPH_URL_PAYMENT: stubUrl,
      SUBGRAPH_URL_DELIVERY: stubUrl,
    },
    inspect,
  );
  /** Tells the viewers of one run from those of another. */
  let batch = 0;

  async function publish(viewer: string, order: string, version: number, reason: string | null = null): Promise<void> {
    const data: OrderStatus = {
      status: 'PAID',
      previousStatus: 'ORDERED',
      version,
      reason,
      occurredAt: new Date().toISOString(),
      order: { id: order, customerId: viewer },
    };
    await jetstream.publish(`order.status.${subjectToken(viewer)}.${subjectToken(order)}`, JSON.stringify(data));
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(new URL('/metrics', router.url.replace('ws', 'http')))).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  return {
    small,
    folder,
    nats,
    issuer,
    router,
    stubUrl,
    start,
    defer: (close) =>
      opened.defer(async () => {
        await close();
      }),
    publish,
    metric,

    async viewers(count, each, oneViewer = false) {
      batch += 1;
      const shared = oneViewer ? await issuer.token({ sub: 'everyone' }) : undefined;
      const specs: Spec[] = [];
      for (let begin = 0; begin < count; begin += 500) {
        const some = await Promise.all(
          Array.from({ length: Math.min(500, count - begin) }, async (_, index): Promise<Spec> => {
            const name = `v${String(batch)}-${String(begin + index)}`;
            const viewer = oneViewer ? 'everyone' : name;
            const orders = Array.from({ length: each }, (_each, number) => `${name}-${String(number)}`);
            const token = shared ?? (await issuer.token({ sub: viewer }));
            for (const order of orders) await publish(viewer, order, 1);
            return { viewer, token, orders };
          }),
        );
        specs.push(...some);
      }
      return specs;
    },

    open: (child, sockets, query) => child.ask({ kind: 'open', url: router.url, sockets, query }),

    async untilMetric(name, value) {
      while ((await metric(name)) !== value) await pause(100);
    },

    async settledKb() {
      await pause(small ? 10_000 : 25_000);
      return residentKb(router.pid);
    },

    async natsSubscriptions() {
      const answer = await fetch(`http://127.0.0.1:${String(monitor.port)}/connz`);
      const { connections } = (await answer.json()) as { connections: { name?: string; subscriptions: number }[] };
      return connections
        .filter(({ name }) => name === 'router')
        .reduce((sum, { subscriptions }) => sum + subscriptions, 0);
    },
  };
}

async function startRouter(
  opened: AsyncDisposableStack,
  addresses: Readonly<Record<string, string>>,
  inspect: boolean,
): Promise<RouterProcess> {
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=16',
      '--disable-warning=ExperimentalWarning',
      ...(inspect ? ['--inspect=127.0.0.1:0'] : []),
      'router/main.ts',
    ],
    {
      env: {
        PATH: process.env['PATH'],
        ROUTER_PORT: '0',
        CURSOR_SECRETS: 'bench',
        LIVE_CONNECTIONS_PER_VIEWER: '100000',
        LIVE_SUBSCRIPTIONS_PER_VIEWER: '100000',
        ...addresses,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  opened.defer(() => stopProcess(child));
  let inspectorUrl: string | undefined;
  createInterface(child.stderr).on('line', (line) => {
    inspectorUrl ??= /ws:\/\/\S+/.exec(line)?.[0];
    if (!/^(Debugger|For help)/.test(line)) console.error(line);
  });
  for await (const line of createInterface(child.stdout)) {
    const entry = JSON.parse(line) as { msg?: string; url?: string };
    if (entry.msg !== 'ready' || entry.url === undefined) continue;
    child.stdout.resume();
    return { pid: child.pid ?? 0, url: entry.url.replace('http', 'ws'), inspectorUrl };
  }
  throw new Error('the router ended before it was ready');
}
