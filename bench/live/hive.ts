// The router beside Hive Gateway (from npm, as it comes) on the same events: one order with many watchers, and a cut on the way of the events.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { composeSupergraph, readSubgraphs } from '../../schema/compose.ts';
import { freePort, hive as hiveArgs, installPeers } from '../query/contestants.ts';
import { plainFields } from './bench.ts';
import type { Bench } from './bench.ts';
import { rate } from './fan-out.ts';
import { openInspector } from './inspector.ts';
import { clockText, percentile, residentKb, round, stopProcess } from './processes.ts';
import type { Child } from './processes.ts';
import { openRaw } from './raw-client.ts';

interface Contestant {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly inspectorUrl: string | undefined;
  /** Breaks the way that events come for a moment. */
  cut(): Promise<unknown>;
}

interface Watcher {
  readonly versions: number[];
  /** What ended the subscription. */
  ended: string | undefined;
}

const changesWhileCut = 20;

export async function hive(bench: Bench): Promise<void> {
  const watchers = bench.small ? 200 : 1_000;
  const events = bench.small ? 20 : 50;
  const subgraph = await bench.start('./events-subgraph.ts', [bench.nats.url]);
  const contestants: Contestant[] = [
    { name: 'ours', ...bench.router, cut: () => restartBroker(bench) },
    { name: 'hive', ...(await startHive(bench, subgraph, 'sse')), cut: () => subgraph.ask({ kind: 'cut' }) },
    { name: 'hive over ws', ...(await startHive(bench, subgraph, 'ws')), cut: () => subgraph.ask({ kind: 'cut' }) },
  ];
  const plain = await bench.start('./plain-ws.ts');
  const plainClients = await bench.start('./clients.ts');
  await plainClients.ask({ kind: 'openPlain', url: await plain.ask<string>({ kind: 'url' }), count: watchers });
  const bytes = `{"id":"0","type":"next","payload":${JSON.stringify({ data: { orderStatusChanged: { status: 'PAID', version: 100, reason: null } } })}}`;
  const broadcast = (): Promise<string> => plain.ask({ kind: 'broadcast', bytes });
  await rate(plain.pid, plainClients, watchers, events, broadcast);
  console.log({ name: 'plain ws', ...(await rate(plain.pid, plainClients, watchers, events, broadcast)) });

  const token = await bench.issuer.token({ sub: 'alice' });
  let version = 1;
  const change = (reason?: string): Promise<void> => bench.publish('alice', 'hot', (version += 1), reason);
  await change();
  for (const contestant of contestants) {
    const { name, pid, url } = contestant;
    const inspector = await openInspector(contestant.inspectorUrl ?? '');
    const clients = await bench.start('./clients.ts');
    const sockets = (count: number) => Array.from({ length: count }, () => ({ token, orders: ['hot'] }));
    const open = (count: number): Promise<unknown> =>
      clients.ask({ kind: 'open', url, sockets: sockets(count), query: plainFields });
    // The first ones grow what is needed once.
    await open(10);
    const before = await inspector.heapBytes();
    await open(watchers - 10);
    const heapKbEach = round(((await inspector.heapBytes()) - before) / 1024 / (watchers - 10));
    inspector.close();
    // The first turn warms up.
    await rate(pid, clients, watchers, events, change);
    const speed = await rate(pid, clients, watchers, events, change);
    const latencies = await latencyOf(clients, watchers * events, async () => {
      for (let event = 0; event < events; event += 1) {
        await change(`t=${clockText()}`);
        await pause(500);
      }
    });
    console.log({ name, watchers, ...speed, ...latencies, heapKbEach, residentMb: Math.round(residentKb(pid) / 1024) });
    await clients.stop();

    const watcher = await watch(url, token);
    await contestant.cut();
    const firstMissed = version + 1;
    for (let count = 0; count < changesWhileCut; count += 1) await change();
    await pause(5_000);
    await change();
    await pause(2_000);
    const seen = new Set(watcher.versions);
    const missed = Array.from({ length: changesWhileCut }, (_, index) => firstMissed + index).filter(
      (one) => !seen.has(one),
    ).length;
    console.log({ name, cut: { missed, of: changesWhileCut, goesOn: seen.has(version), ended: watcher.ended } });
  }
}

async function latencyOf(clients: Child, frames: number, emit: () => Promise<void>): Promise<object> {
  await clients.ask({ kind: 'reset' });
  const arrived = clients.ask({ kind: 'await', frames });
  await emit();
  await arrived;
  const { latencies } = await clients.ask<{ latencies: number[] }>({ kind: 'latencies' });
  latencies.sort((one, other) => one - other);
  return { p50Ms: round(percentile(latencies, 0.5)), p99Ms: round(percentile(latencies, 0.99)) };
}

/** One subscription whose versions are kept. */
async function watch(url: string, token: string): Promise<Watcher> {
  const client = await openRaw(url, 'graphql-transport-ws');
  const watcher: Watcher = { versions: [], ended: undefined };
  const { promise, resolve } = Promise.withResolvers<void>();
  client.onMessage = (text) => {
    const { type, payload } = JSON.parse(text.toString()) as {
      type: string;
      payload?: { data?: { orderStatusChanged: { version: number } } | null };
    };
    if (type === 'connection_ack') {
      const asked = { query: plainFields, variables: { orderId: 'hot' } };
      client.send(JSON.stringify({ id: '0', type: 'subscribe', payload: asked }));
    } else if (type === 'next' && payload?.data) {
      watcher.versions.push(payload.data.orderStatusChanged.version);
      resolve();
    } else if (type === 'error' || type === 'complete' || type === 'next') {
      watcher.ended ??= text.toString();
    }
  };
  client.onClose = (code, reason) => (watcher.ended ??= `closed with ${String(code)} ${reason}`);
  client.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  await promise;
  return watcher;
}

async function restartBroker({ nats, publish }: Bench): Promise<void> {
  await nats.process.kill('SIGKILL');
  await nats.process.ready();
  const published = (): Promise<void> => publish('nobody', 'probe', 1).catch(published);
  await published();
}

/** Hive Gateway over the same supergraph, whose events are served by a subgraph: over SSE, its default, or over one WebSocket. */
async function startHive(
  bench: Bench,
  subgraph: Child,
  transport: 'sse' | 'ws',
): Promise<{ readonly pid: number; readonly url: string; readonly inspectorUrl: string | undefined }> {
  await installPeers();
  const eventsUrl = await subgraph.ask<string>({ kind: 'url' });
  const { supergraphSdl } = composeSupergraph(
    readSubgraphs().map((one) => ({ ...one, url: one.name === 'events' ? eventsUrl : bench.stubUrl })),
  );
  const file = join(bench.folder, `supergraph-${transport}.graphql`);
  await writeFile(file, supergraphSdl);
  const events = transport === 'ws' ? { options: { subscriptions: { kind: 'ws', location: '/graphql' } } } : {};
  const config = join(bench.folder, `gateway-${transport}.config.mjs`);
  await writeFile(config, `export const gatewayConfig = ${JSON.stringify({ transportEntries: { events } })};`);
  const port = await freePort();
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', ...hiveArgs(file, port), `--config-path=${config}`], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  bench.defer(() => stopProcess(child));
  let inspectorUrl: string | undefined;
  // It logs each upstream failure at length, which is not shown.
  createInterface(child.stderr).on('line', (line) => (inspectorUrl ??= /ws:\/\/\S+/.exec(line)?.[0]));
  const url = `http://127.0.0.1:${String(port)}/graphql`;
  const ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ __typename }"}' };
  while (child.exitCode === null) {
    const answer = await fetch(url, ask).catch(() => undefined);
    if (answer?.ok === true) return { pid: child.pid ?? 0, url: url.replace('http', 'ws'), inspectorUrl };
    await pause(200);
  }
  throw new Error('Hive Gateway has ended');
}
