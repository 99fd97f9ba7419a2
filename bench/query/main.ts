// `node bench/query/main.ts [small] [--only ours,BFF] [--profile FOLDER]`: requests a second of the router beside other gateways and
// beside a hand-written backend, in one run, in turns, over the same subgraphs.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpuMs, residentKb } from '../live/processes.ts';
import { contestants, installPeers, start } from './contestants.ts';
import type { Running } from './contestants.ts';
import { operations, supergraphAt, variants } from './graph.ts';
import type { Operation } from './graph.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import { startPinned } from './pinned.ts';
import { report } from './report.ts';
import type { Sample } from './report.ts';
import type { Asked } from './subgraphs.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, profile: { type: 'string' }, operation: { type: 'string' } },
});
const small = positionals.includes('small');
const rounds = small ? 2 : 4;
const warmUpMs = small ? 1_500 : 4_000;
const milliseconds = small ? 1_500 : 2_000;
const connections = 32;
/** The gateway that is measured has a core of its own; load and subgraphs share the other. */
const gatewayCore = '0';
const otherCore = '1';

const chosen = contestants.filter(({ name, isAside }) => values.only?.split(',').includes(name) ?? isAside !== true);
const asked = operations.filter(({ name }) => (values.operation ?? name) === name);
if (chosen.some(({ isInstalled }) => isInstalled === true)) await installPeers();

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'bench-query-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
const subgraphs = await startPinned<{ port: number }>('./subgraphs.ts', otherCore);
opened.defer(() => subgraphs.stop());
const load = await startPinned('./load.ts', otherCore);
opened.defer(() => load.stop());
const origin = `http://127.0.0.1:${String(subgraphs.ready.port)}`;
const file = join(folder, 'supergraph.graphql');
await writeFile(file, supergraphAt(origin));
if (values.profile !== undefined) await mkdir(values.profile, { recursive: true });
const nodeArgs = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];

const running: Running[] = [];
for (const contestant of chosen) {
  const one = await start(contestant, { file, origin, core: gatewayCore, nodeArgs });
  opened.defer(() => one.stop());
  running.push(one);
}
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? 'unknown CPU'}, node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
);

for (const operation of asked) await compareAnswers(operation);

const samples: Sample[] = [];
const order = (operation: Operation, { port }: Running, forMs: number): LoadOrder => ({
  port,
  operation: operation.name,
  milliseconds: forMs,
  connections,
});
for (const operation of asked) {
  for (const one of running) await load.ask<LoadResult>(order(operation, one, warmUpMs));
  for (let round = 0; round < rounds; round++) {
    for (const one of running) {
      await subgraphs.ask<Asked>({});
      const before = cpuMs(one.pid);
      const result = await load.ask<LoadResult>(order(operation, one, milliseconds));
      const cpu = cpuMs(one.pid) - before;
      const { requests, misses } = await subgraphs.ask<Asked>({});
      samples.push({
        ...result,
        operation: operation.name,
        name: one.name,
        cpu,
        fetches: requests,
        misses,
        residentKb: residentKb(one.pid),
      });
    }
  }
}
console.log(
  report(
    samples,
    running.map(({ name }) => name),
  ),
);

/** The same content from all, for each variant. */
async function compareAnswers({ name, query, variables }: Operation): Promise<void> {
  let bytes = 0;
  for (let variant = 0; variant < variants; variant++) {
    const answers = await Promise.all(
      running.map(async ({ port }) => {
        const response = await fetch(`http://127.0.0.1:${String(port)}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json' },
          body: JSON.stringify({ query: query.replaceAll(/\s+/g, ' '), variables: variables(variant) }),
        });
        const text = await response.text();
        if (running.length > 0 && response.status === 200) bytes = text.length;
        return JSON.stringify(sorted(JSON.parse(text)));
      }),
    );
    const other = answers.findIndex((answer) => answer !== answers.at(-1));
    if (other >= 0 || answers.at(-1)?.includes('"errors"') === true) {
      throw new Error(
        `${name}, variant ${String(variant)}: ${running[other]?.name ?? 'all'} answered\n${answers[other]?.slice(0, 2_000) ?? ''}\nand not\n${answers.at(-1)?.slice(0, 2_000) ?? ''}`,
      );
    }
  }
  console.log(`${name}: ${String(bytes)} bytes, the same from all, in ${String(variants)} variants`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
