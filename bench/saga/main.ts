// `node bench/saga/main.ts [--rates 10,100] [--seconds 30] [--outage 120] [--profile FOLDER]`: how fast an order becomes a delivery, where the time goes,
// how many orders a second the whole system sustains, and what an outage of payment does to `placeOrder`.
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../../dev/stack.ts';
import { brokerLimit, databaseLimit } from './limits.ts';
import { percentiles, startLoad } from './load.ts';
import type { Load, OrderTimes } from './load.ts';
import { processorTime } from './processor-time.ts';

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '10,100' },
    seconds: { type: 'string', default: '30' },
    /** Seconds that payment is stopped; 0 leaves that part out. */
    outage: { type: 'string', default: '0' },
    /** Orders per second during the outage. */
    outageRate: { type: 'string', default: '25' },
    /** Leaves out the search for the sustainable maximum. */
    fixed: { type: 'boolean', default: false },
    /** Where each process writes a CPU profile of its whole life. */
    profile: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const warmUpSeconds = 10;
/** A rate is sustained when all is delivered soon after the last order, and the median stays far below a second. */
const sustainedMs = 1_000;

const show = (numbers: readonly number[]): string => {
  const { p50, p95, p99 } = percentiles(numbers);
  return `p50 ${String(p50)}  p95 ${String(p95)}  p99 ${String(p99)} ms`;
};
const between = (
  orders: readonly OrderTimes[],
  from: (o: OrderTimes) => number | undefined,
  to: (o: OrderTimes) => number | undefined,
) =>
  orders.flatMap((order) => {
    const [start, end] = [from(order), to(order)];
    return start === undefined || end === undefined ? [] : [end - start];
  });
const accepted = (order: OrderTimes): number | undefined => order.acceptedAt;
const happened = (status: string) => (order: OrderTimes) => order.happenedAt.get(status);
const seen = (status: string) => (order: OrderTimes) => order.seenAt.get(status);

/** One rate: prints it, and gives whether the system kept up. */
async function measure(load: Load, rate: number, forSeconds: number): Promise<boolean> {
  const startedAt = performance.now();
  const before = processorTime(stack);
  const orders = await load.place(rate, forSeconds);
  const lost = await load.seen(orders, 'DELIVERING', 15_000);
  const took = (performance.now() - startedAt) / 1_000;
  const used = [...processorTime(stack)].map(
    ([part, ms]) => [part, (ms - (before.get(part) ?? 0)) / orders.length] as const,
  );
  const usedInAll = used.reduce((sum, [, ms]) => sum + ms, 0);
  const failed = orders.filter(({ acceptedAt }) => acceptedAt === undefined).length;
  const endToEnd = between(orders, accepted, seen('DELIVERING'));
  console.log(`
${String(rate)} orders/s for ${String(forSeconds)} s: ${String(orders.length)} orders, ${String(failed)} failed, ${String(lost)} not delivering, ${(orders.length / took).toFixed(1)}/s in fact
  accepted → DELIVERING seen  ${show(endToEnd)}
  asked → accepted            ${show(between(orders, ({ askedAt }) => askedAt, accepted))}
  ORDERED → PAID              ${show(between(orders, happened('ORDERED'), happened('PAID')))}
  PAID → DELIVERING           ${show(between(orders, happened('PAID'), happened('DELIVERING')))}
  DELIVERING → seen           ${show(between(orders, happened('DELIVERING'), seen('DELIVERING')))}
  processor time an order     ${usedInAll.toFixed(1)} ms: ${used.map(([part, ms]) => `${part} ${ms.toFixed(1)}`).join(', ')}`);
  return failed === 0 && lost === 0 && percentiles(endToEnd).p50 < sustainedMs && took < forSeconds + 3;
}

const folder = await mkdtemp(join(tmpdir(), 'baedal-bench-'));
const profiling =
  values.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(values.profile)}` };
const stack = await startStack({
  dataDir: join(folder, 'data'),
  environment: { all: { LOG_LEVEL: 'warn', ...profiling } },
});
try {
  console.log(
    `load of the machine before: ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}`,
  );
  console.log(
    `the database alone: ${String(await databaseLimit(stack))} transactions/s; the broker alone: ${String(await brokerLimit(stack))} messages/s`,
  );
  const load = await startLoad(stack);
  await load.seen(await load.place(20, warmUpSeconds), 'DELIVERING', 20_000);
  for (const rate of values.rates.split(',').map(Number)) await measure(load, rate, seconds);

  if (!values.fixed) {
    let rate = 150;
    let best = 0;
    while (await measure(load, rate, 10)) {
      best = rate;
      rate = Math.round(rate * 1.25);
    }
    console.log(`\nsustained: ${best === 0 ? 'less than 150' : String(best)} orders/s`);
  }

  const outage = Number(values.outage);
  if (outage > 0) {
    const rate = Number(values.outageRate);
    const answers = (orders: readonly OrderTimes[]) => between(orders, ({ askedAt }) => askedAt, accepted);
    const before = await load.place(rate, Math.min(outage, 60));
    await stack.processes.payment.stop();
    const during = await load.place(rate, outage);
    const backAt = performance.now();
    await stack.processes.payment.start();
    const lost = await load.seen(during, 'DELIVERING', 300_000);
    const failed = during.filter(({ acceptedAt }) => acceptedAt === undefined).length;
    const ratio = percentiles(answers(during)).p99 / percentiles(answers(before)).p99;
    console.log(`
payment stopped for ${String(outage)} s at ${String(rate)} orders/s
  placeOrder before           ${show(answers(before))}
  placeOrder during           ${show(answers(during))}  (p99 × ${ratio.toFixed(2)})
  backlog                     ${String(during.length)} orders, ${String(failed)} refused, ${String(lost)} lost, drained ${((performance.now() - backAt) / 1_000).toFixed(1)} s after payment was started`);
  }
  await load.close();
  console.log(
    `load of the machine after: ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}`,
  );
} finally {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
}
