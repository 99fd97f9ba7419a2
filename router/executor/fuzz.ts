// The differential fuzz: random operations over several supergraphs, with errors, nulls and subgraphs that are down; ours
// against graphql-js on the merged schema and against ApolloGateway. `npm run fuzz -- --operations 20000 --seed 1`
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { print, type DocumentNode } from 'graphql';
import { compileOperation, type CompiledOperation } from './operation.ts';
import {
  coerce,
  createBench,
  difference,
  runOurs,
  runReference,
  unexplained,
  type Bench,
} from './testing/differential.ts';
import { gatewayDifference, runGateway } from './testing/gateway.ts';
import { fuzzGraphs } from './testing/graphs.ts';
import { createRandom } from './testing/random.ts';
import { randomOperation } from './testing/random-operation.ts';
import { shrink } from './testing/shrink.ts';
import { isBroken, type WorldOptions } from './testing/world.ts';

/** What to run. */
export interface FuzzOptions {
  readonly operations: number;
  readonly seed: number;
  /** Only this supergraph, by the first word of its name. */
  readonly graph?: string;
  /** Only this operation of the run, to look into a difference. */
  readonly only?: number;
  /** Told now and then how far it is. */
  readonly onProgress?: (done: number, differences: number) => void;
}

/** What happened over one supergraph. An operation is executed several times: in other worlds and with other variables. */
interface Counts {
  operations: number;
  executions: number;
  /** Executions whose result has errors, or a null. */
  withErrors: number;
  withNulls: number;
  subscriptions: number;
  subgraphsDown: number;
  /** Executions that were compared with ApolloGateway too. */
  gateways: number;
}

/** What came of it. */
export interface FuzzReport {
  readonly total: Readonly<Counts>;
  readonly graphs: Readonly<Record<string, Readonly<Counts>>>;
  readonly differences: readonly string[];
}

const maxDifferences = 20;

const noCounts = (): Counts => ({
  operations: 0,
  executions: 0,
  withErrors: 0,
  withNulls: 0,
  subscriptions: 0,
  subgraphsDown: 0,
  gateways: 0,
});

/** Runs the fuzz. The same options give the same run. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const graphs = fuzzGraphs
    .filter(({ name }) => !options.graph || name.startsWith(`${options.graph}:`))
    .map((graph) => ({ name: graph.name.split(':')[0] ?? '', bench: createBench(graph), counts: noCounts() }));
  const differences: string[] = [];
  for (let number = 0; number < options.operations && differences.length < maxDifferences; number++) {
    const graph = graphs[number % graphs.length];
    if (!graph || (options.only !== undefined && number !== options.only)) continue;
    const found = await fuzzOne(graph.bench, options.seed * 1_000_003 + number, graph.counts);
    graph.counts.operations++;
    if (found) differences.push(`#${number} (${graph.name}) ${found}`);
    if ((number + 1) % 100 === 0) options.onProgress?.(number + 1, differences.length);
  }
  const total = noCounts();
  for (const { counts } of graphs) {
    for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key];
  }
  return { total, graphs: Object.fromEntries(graphs.map(({ name, counts }) => [name, counts])), differences };
}

/** One execution of an operation: in which world, and without which subgraph. */
interface Round {
  readonly world: WorldOptions;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly down: string | undefined;
}

async function fuzzOne(bench: Bench, seed: number, report: Counts): Promise<string | undefined> {
  const random = createRandom(seed);
  const { schema, subgraphs } = bench.graph.supergraph;
  const kind = random.pick([
    ...(['query', 'query', 'query'] as const),
    ...(schema.getMutationType() ? (['mutation'] as const) : []),
    ...(schema.getSubscriptionType() ? (['subscription', 'subscription'] as const) : []),
  ]);
  const { document, drawVariables } = randomOperation(schema, kind, random);
  if (kind === 'subscription') report.subscriptions++;
  const round = (at: number, errorRate: number, nullRate: number, down?: string): Round => ({
    world: { seed: seed + at, errorRate, nullRate },
    variables: drawVariables(),
    down,
  });
  const rounds = [
    round(0, 0, 0.1),
    round(1, 0, 0),
    round(2, random.pick([0.02, 0.1]), 0.1),
    round(3, 0, 0.05, random.pick([...subgraphs.keys()])),
  ];
  try {
    const operation = compileOperation(bench.graph.supergraph, document, undefined);
    for (const one of rounds) {
      const { found, ours, gateways } = await compare(bench, operation, one);
      if (!ours) continue;
      report.executions++;
      if (ours.errors) report.withErrors++;
      if (hasNull(ours.data)) report.withNulls++;
      if (gateways && 'result' in gateways) report.gateways++;
      if (one.down !== undefined) report.subgraphsDown++;
      if (found) return await explain(bench, document, one);
    }
    return undefined;
  } catch (error) {
    return `threw ${error instanceof Error ? String(error.stack) : String(error)}\n${print(document)}`;
  }
}

async function compare(bench: Bench, operation: CompiledOperation, { world, variables, down }: Round) {
  bench.setWorld(world);
  const used = (operation.operation.variableDefinitions ?? []).map(({ variable }) => variable.name.value);
  const given = Object.fromEntries(used.map((name) => [name, variables[name]]));
  const theirs = runReference(bench, operation, given);
  // Of a subscription whose event itself is lost to an error nothing is executed.
  const isLost = operation.kind === 'subscription' && theirs.result.errors?.some(({ message }) => isBroken(message));
  if (isLost === true) return { found: undefined, theirs, given };
  const ours = await runOurs(bench, operation, given, down);
  const found = down === undefined ? difference(ours, theirs) : unexplained(ours, theirs);
  // The gateway knows no subscriptions, and which data it gives up when a subgraph is down is its own affair.
  if (found || operation.kind === 'subscription' || down !== undefined) return { found, ours, theirs, given };
  const gateways = await runGateway(bench, operation, coerce(operation, given));
  return {
    found: 'result' in gateways ? gatewayDifference(ours, gateways.result) : undefined,
    ours,
    theirs,
    given,
    gateways,
  };
}

const hasNull = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && Object.values(value).some(hasNull));

/** The smallest operation that shows the difference, and both results. */
async function explain(bench: Bench, document: DocumentNode, round: Round): Promise<string> {
  const { supergraph } = bench.graph;
  const check = (smaller: DocumentNode) => compare(bench, compileOperation(supergraph, smaller, undefined), round);
  const small = await shrink(supergraph.schema, document, async (smaller) => {
    try {
      return (await check(smaller)).found !== undefined;
    } catch {
      return false;
    }
  });
  const { found, ours, theirs, given, gateways } = await check(small);
  return [
    `${String(found)}${round.down === undefined ? '' : ` without ${round.down}`}`,
    print(small),
    `variables ${JSON.stringify(given)}`,
    `ours   ${JSON.stringify(ours)}`,
    `theirs ${JSON.stringify(theirs.result)}`,
    ...(gateways ? [`gateway ${JSON.stringify(gateways)}`] : []),
  ].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      operations: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      graph: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const { operations, seed } = { operations: Number(values.operations), seed: Number(values.seed) };
  const started = performance.now();
  const seconds = (): number => Math.round((performance.now() - started) / 1000);
  process.stdout.write(`seed ${seed}, ${operations} operations\n`);
  const { total, graphs, differences } = await fuzz({
    operations,
    seed,
    ...(values.graph === undefined ? {} : { graph: values.graph }),
    ...(values.only === undefined ? {} : { only: Number(values.only) }),
    onProgress: (done, found) => {
      process.stderr.write(`\r${done} of ${operations}, differences: ${found}, ${seconds()} s `);
    },
  });
  process.stderr.write('\n');
  for (const text of differences) process.stdout.write(`${text}\n\n`);
  for (const [name, counts] of Object.entries({ ...graphs, total })) {
    process.stdout.write(`${name} ${JSON.stringify(counts)}\n`);
  }
  process.stdout.write(`differences: ${differences.length}, seed ${seed}, ${seconds()} s\n`);
  process.exitCode = differences.length > 0 ? 1 : 0;
}
