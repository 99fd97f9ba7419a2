// The differential fuzz: random operations over several supergraphs, with errors, nulls and subgraphs that are down; ours
// against graphql-js on the merged schema. `node router/executor/fuzz.ts --operations 20000 --seed 1`
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { print, type DocumentNode } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import { compileOperation, type CompiledOperation } from './operation.ts';
import { createBench, difference, runOurs, runReference, unexplained, type Bench } from './testing/differential.ts';
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
}

interface Counts {
  operations: number;
  executions: number;
  withErrors: number;
  subscriptions: number;
  subgraphsDown: number;
  /** Operations that the official planner itself breaks on. */
  unplannable: number;
}

/** What came of it. */
export interface FuzzReport extends Readonly<Counts> {
  readonly differences: readonly string[];
}

const maxDifferences = 20;

/** Runs the fuzz. The same options give the same run. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const graphs = fuzzGraphs.filter(({ name }) => !options.graph || name.startsWith(`${options.graph}:`));
  const benches = graphs.map(createBench);
  const report: Counts = {
    operations: 0,
    executions: 0,
    withErrors: 0,
    subscriptions: 0,
    subgraphsDown: 0,
    unplannable: 0,
  };
  const differences: string[] = [];
  for (let number = 0; number < options.operations && differences.length < maxDifferences; number++) {
    if (options.only !== undefined && number !== options.only) continue;
    const bench = benches[number % benches.length] as Bench;
    const found = await fuzzOne(bench, options.seed * 1_000_003 + number, report);
    report.operations++;
    if (found) differences.push(`#${number} (${graphs[number % graphs.length]?.name.split(':')[0]}) ${found}`);
  }
  return { ...report, differences };
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
      const { found, theirs, isLost } = await compare(bench, operation, one);
      if (isLost) continue;
      report.executions++;
      if (theirs.result.errors) report.withErrors++;
      if (one.down !== undefined) report.subgraphsDown++;
      if (found) return await explain(bench, document, one);
    }
    return undefined;
  } catch (error) {
    if (!isPlannersFault(error)) {
      return `threw ${error instanceof Error ? String(error.stack) : String(error)}\n${print(document)}`;
    }
    report.unplannable++;
    return undefined;
  }
}

async function compare(bench: Bench, operation: CompiledOperation, { world, variables, down }: Round) {
  bench.setWorld(world);
  const used = (operation.operation.variableDefinitions ?? []).map(({ variable }) => variable.name.value);
  const given = Object.fromEntries(used.map((name) => [name, variables[name]]));
  const theirs = runReference(bench, operation, given);
  // Of a subscription whose event itself is lost to an error nothing is executed.
  const isLost = operation.kind === 'subscription' && theirs.result.errors?.some(({ message }) => isBroken(message));
  if (isLost === true) return { found: undefined, ours: undefined, theirs, given, isLost };
  const ours = await runOurs(bench, operation, given, down);
  const found = down === undefined ? difference(ours, theirs) : unexplained(ours, theirs);
  return { found, ours, theirs, given, isLost: false };
}

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
  const { found, ours, theirs, given } = await check(small);
  return [
    `${String(found)}${round.down === undefined ? '' : ` without ${round.down}`}`,
    print(small),
    `variables ${JSON.stringify(given)}`,
    `ours   ${JSON.stringify(ours)}`,
    `theirs ${JSON.stringify(theirs.result)}`,
  ].join('\n');
}

/** The planner (2.14.4) fails an assertion of its own on some chains of `@requires`; nobody can execute those. */
function isPlannersFault(error: unknown): boolean {
  const cause = error instanceof CodedError ? error.originalError : undefined;
  return cause?.message.includes('adding it as parent would create a cycle') === true;
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
  const started = performance.now();
  const { differences, ...counts } = await fuzz({
    operations: Number(values.operations),
    seed: Number(values.seed),
    ...(values.graph === undefined ? {} : { graph: values.graph }),
    ...(values.only === undefined ? {} : { only: Number(values.only) }),
  });
  for (const text of differences) process.stdout.write(`${text}\n\n`);
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(`${JSON.stringify({ ...counts, differences: differences.length, seconds })}\n`);
  process.exitCode = differences.length > 0 ? 1 : 0;
}
