// Benchmarks of live subscriptions: `node bench/live/main.ts <scenario> [small]`. The router is the real process; clients are others.
import { availableParallelism, loadavg } from 'node:os';
import { startBench } from './bench.ts';
import type { Bench, BenchOptions } from './bench.ts';
import { fanOut } from './fan-out.ts';
import { frozen } from './frozen.ts';
import { hive } from './hive.ts';
import { latency } from './latency.ts';
import { leaks } from './leaks.ts';
import { memory } from './memory.ts';

interface Scenario {
  readonly options?: Omit<BenchOptions, 'small'>;
  run(bench: Bench): Promise<void>;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  sockets: { run: (bench) => memory(bench, bench.small ? 4_000 : 19_000, 1) },
  subscriptions: { run: (bench) => memory(bench, bench.small ? 2_000 : 10_000, 10) },
  // What `subscriptions` is compared with: the same sockets with one subscription each.
  'sockets-of-subscriptions': { run: (bench) => memory(bench, bench.small ? 2_000 : 10_000, 1) },
  'fan-out': { run: fanOut },
  latency: { run: (bench) => latency(bench, false) },
  // With one token all become one question; `latency` asks for each viewer.
  'latency-one-viewer': { run: (bench) => latency(bench, true) },
  // Subgraphs that take one viewer in a request, as foreign ones do.
  'latency-single': { options: { operationBatches: false }, run: (bench) => latency(bench, false) },
  frozen: { run: frozen },
  hive: { options: { inspect: true }, run: hive },
  leaks: { options: { inspect: true }, run: leaks },
};

const [name = 'sockets', size] = process.argv.slice(2);
const scenario = scenarios[name];
if (scenario === undefined) throw new Error(`the scenarios are ${Object.keys(scenarios).join(', ')}`);
const small = size === 'small';
console.log(
  `${name}${small ? ' (small)' : ''}: ${String(availableParallelism())} CPUs, load ${loadavg()
    .map((one) => one.toFixed(1))
    .join(' ')}, node ${process.version}`,
);
await using opened = new AsyncDisposableStack();
await scenario.run(await startBench(opened, { small, ...scenario.options }));
