// `node bench/start/main.ts [rounds]`: how long each gateway takes from its command to its first answered query, in turns, each on one core.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, residentKb } from '../live/processes.ts';
import { contestants, installPeers, start } from '../query/contestants.ts';
import { supergraphAt } from '../query/graph.ts';
import { startPinned } from '../query/pinned.ts';

const rounds = Number(process.argv[2] ?? 10);
const gatewayCore = '0';
const otherCore = '1';
const readyWithinMs = 3_000;

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'bench-start-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
await installPeers();
const subgraphs = await startPinned<{ port: number }>('./subgraphs.ts', otherCore);
opened.defer(() => subgraphs.stop());
const origin = `http://127.0.0.1:${String(subgraphs.ready.port)}`;
const file = join(folder, 'supergraph.graphql');
await writeFile(file, supergraphAt(origin));

const compared = contestants.filter(({ isAside }) => isAside !== true);
const taken = new Map(compared.map(({ name }) => [name, { milliseconds: [] as number[], megabytes: [] as number[] }]));
console.log(`load ${loadavg()[0]?.toFixed(1) ?? ''}`);
// The first round is not counted: it reads everything from the disk.
for (let round = 0; round <= rounds; round++) {
  for (const contestant of compared) {
    const began = performance.now();
    const running = await start(contestant, { file, origin, core: gatewayCore });
    const milliseconds = performance.now() - began;
    const megabytes = residentKb(running.pid) / 1_024;
    await running.stop();
    if (round === 0) continue;
    taken.get(contestant.name)?.milliseconds.push(milliseconds);
    taken.get(contestant.name)?.megabytes.push(megabytes);
  }
}

console.log('| gateway | median s | longest s | MB |');
for (const [name, { milliseconds, megabytes }] of taken) {
  const longest = Math.max(...milliseconds);
  const seconds = (of: number): string => (of / 1_000).toFixed(2);
  console.log(`| ${name} | ${seconds(median(milliseconds))} | ${seconds(longest)} | ${median(megabytes).toFixed(0)} |`);
  if (name === 'ours' && longest > readyWithinMs) {
    console.error(`ours took longer than ${String(readyWithinMs)} ms`);
    process.exitCode = 1;
  }
}
