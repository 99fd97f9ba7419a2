// The differential fuzz: random operations over several supergraphs, with errors, nulls and subgraphs that are down; ours
// against graphql-js on the merged schema. `node router/executor/fuzz.ts --operations 20000 --seed 1`
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { CodedError } from '../../service/errors.ts';
import { compileOperation } from './operation.ts';
import { createBench, difference, runOurs, runReference, unexplained, type Bench } from './testing/differential.ts';
import { fuzzGraphs } from './testing/graphs.ts';
import { createRandom } from './testing/random.ts';
import { randomOperation } from './testing/random-operation.ts';

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

async function fuzzOne(bench: Bench, seed: number, report: Counts): Promise<string | undefined> {
  const random = createRandom(seed);
  const { schema } = bench.graph.supergraph;
  const kinds = [
    'query',
    'query',
    'query',
    ...(schema.getMutationType() ? ['mutation'] : []),
    ...(schema.getSubscriptionType() ? ['subscription', 'subscription'] : []),
  ];
  const kind = random.pick(kinds) as 'query' | 'mutation' | 'subscription';
  const { text, document, drawVariables } = randomOperation(schema, kind, random);
  if (kind === 'subscription') report.subscriptions++;

  let variables = drawVariables();
  const describe = (what: string, ours: unknown, theirs: unknown): string =>
    `${what}\n${text}\nvariables ${JSON.stringify(variables)}\nours   ${JSON.stringify(ours)}\ntheirs ${JSON.stringify(theirs)}`;
  try {
    const operation = compileOperation(bench.graph.supergraph, document, undefined);
    const rates = [
      { errorRate: 0, nullRate: 0.1 },
      { errorRate: 0, nullRate: 0 },
      { errorRate: random.pick([0.02, 0.1]), nullRate: 0.1 },
    ];
    for (const [round, rate] of rates.entries()) {
      bench.setWorld({ seed: seed + round, ...rate });
      const theirs = runReference(bench, operation, variables);
      // Of a subscription whose event is lost to an error nothing is executed.
      if (kind === 'subscription' && theirs.result.errors?.some(({ message }) => message.startsWith('broken')))
        continue;
      const ours = await runOurs(bench, operation, variables);
      report.executions++;
      if (theirs.result.errors) report.withErrors++;
      const found = difference(ours, theirs);
      if (found) return describe(found, ours, theirs.result);
      if (round === 2) continue;
      variables = drawVariables();
    }
    bench.setWorld({ seed, errorRate: 0, nullRate: 0.05 });
    const down = random.pick([...bench.graph.supergraph.subgraphs.keys()]);
    const theirs = runReference(bench, operation, variables);
    const ours = await runOurs(bench, operation, variables, down);
    report.executions++;
    report.subgraphsDown++;
    const found = unexplained(ours, theirs);
    return found && describe(`without ${down}: ${found}`, ours, theirs.result);
  } catch (error) {
    if (!isPlannersFault(error)) {
      return describe(`threw ${error instanceof Error ? error.stack : String(error)}`, undefined, undefined);
    }
    report.unplannable++;
    return undefined;
  }
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
  for (const difference of differences) console.log(`${difference}\n`);
  console.log({
    ...counts,
    differences: differences.length,
    seconds: Math.round((performance.now() - started) / 1000),
  });
  process.exitCode = differences.length > 0 ? 1 : 0;
}
