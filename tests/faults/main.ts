// `npm run faults -- --minutes 10 --seed 1`: a fault run over the real stack, judged at the end. Exits 1 when anything was wrong.
// `npm run faults -- --outage payment`: one part is away for two minutes under load, and what customers notice of it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureOutage, outageFaults } from './outage.ts';
import type { OutageFigures } from './outage.ts';
import { runFaults } from './run.ts';
import type { FaultReport } from './run.ts';

const usage = `usage: npm run faults -- [--minutes 10] [--seed N] [--rate 12] [--every 5] [--only PATTERN] [--payment mariadb] [--keep]
       npm run faults -- --outage payment [--seed N] [--rate 20] [--keep]

  --minutes  how long faults go on
  --seed     the same seed gives the same faults and customers; default: a new one, which is printed
  --rate     orders per second; default 12, in an outage 20
  --every    seconds from one fault to the next, in the mean
  --only     only faults that match, for example "router" or "wipe|kill nats"
  --outage   no other fault than payment, or delivery, being away for two minutes
  --payment  the engine of payment's database: postgresql (default) or mariadb
  --keep     keep the logs, and print where they are`;

function readArguments() {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      options: {
        minutes: text,
        seed: text,
        rate: text,
        every: text,
        only: text,
        payment: text,
        outage: text,
        keep: { type: 'boolean' },
      },
    });
    const number = (value: string | undefined, otherwise: number): number => {
      const read = value === undefined ? otherwise : Number(value);
      if (!Number.isFinite(read) || read <= 0) throw new Error(`"${String(value)}" is no number above 0`);
      return read;
    };
    const engines = ['postgresql', 'mariadb'] as const;
    const payment = engines.find((engine) => engine === (values.payment ?? 'postgresql'));
    if (payment === undefined) throw new Error(`"${String(values.payment)}" is no engine`);
    const outage = (['payment', 'delivery'] as const).find((service) => service === values.outage);
    if (outage === undefined && values.outage !== undefined) throw new Error(`"${values.outage}" cannot be away`);
    return {
      payment,
      outage,
      minutes: number(values.minutes, 10),
      seed: number(values.seed, 1 + Math.floor(Math.random() * 1_000_000)),
      rate: number(values.rate, outage === undefined ? 12 : 20),
      every: number(values.every, 5),
      only: values.only === undefined ? undefined : new RegExp(values.only),
      keep: values.keep ?? false,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

function printReport(report: FaultReport): void {
  const { orders, faults, violations } = report;
  const share = (count: number): string => `${String(count)}  (${((count / Math.max(1, orders)) * 100).toFixed(0)} %)`;
  console.log(`
seed                     ${String(report.seed)}
orders                   ${String(orders)}  (${JSON.stringify(report.ended)})
cancels asked            ${share(report.cancelAsked)}
cancels done             ${share(report.ended['CANCELLED'] ?? 0)}
answers lost, asked again ${String(report.answersLost)}
faults                   ${String(Object.values(faults).reduce((sum, count) => sum + count, 0))}  (${JSON.stringify(faults)})
status events watched    ${String(report.watched)}, and ${String(report.gaveWay)} gave way to newer ones
watchers started anew    ${String(report.watcherGaps.length)} times
longest time to an end   ${(report.longestToEndMs / 1000).toFixed(1)} s
settled after            ${(report.settledAfterMs / 1000).toFixed(1)} s
violations               ${String(violations.length)}`);
  const byRule = Map.groupBy(violations, ({ rule }) => rule);
  for (const [rule, found] of byRule) {
    console.log(`\n${rule}: ${String(found.length)}`);
    for (const { orderId, text } of found.slice(0, 5)) console.log(`  ${orderId ?? ''} ${text}`);
  }
  for (const story of report.stories) console.log(`\n${story}`);
}

function printOutage(figures: OutageFigures): boolean {
  const { p99BeforeMs, p99DuringMs, p99AfterMs, backlog, drainedAfterMs } = figures;
  console.log(`
p99 of placeOrder before ${p99BeforeMs.toFixed(1)} ms
p99 during the outage    ${p99DuringMs.toFixed(1)} ms  (${(p99DuringMs / p99BeforeMs).toFixed(2)} times that before)
p99 while it drains      ${p99AfterMs.toFixed(1)} ms
backlog                  ${String(backlog)} orders
drained after            ${(drainedAfterMs / 1000).toFixed(1)} s`);
  return p99DuringMs <= p99BeforeMs * mostSlowdown;
}

/** N2 and N3: how much longer the slowest answers may take while a service is away. */
const mostSlowdown = 1.5;
const { minutes, seed, rate, every, only, payment, outage, keep } = readArguments();
const away = outage === undefined ? undefined : { service: outage, fromMs: 80_000, toMs: 200_000 };
const folder = await mkdtemp(join(tmpdir(), 'baedal-faults-'));
try {
  const report = await runFaults({
    folder: join(folder, 'data'),
    seed,
    payment,
    durationMs: away === undefined ? minutes * 60_000 : away.toMs + 20_000,
    schedule: away === undefined ? { everyMs: every * 1_000, longestMs: 25_000, only } : outageFaults(away),
    ordersPerSecond: rate,
    settleWithinMs: 180_000,
    onProgress: (line) => console.log(line),
  });
  printReport(report);
  const isUnnoticed = away === undefined || printOutage(measureOutage(report.evidence, away, report.startedAt));
  process.exitCode = report.violations.length === 0 && isUnnoticed ? 0 : 1;
} finally {
  if (keep) console.log(`kept in ${folder}`);
  else await rm(folder, { recursive: true, force: true });
}
// Customers whose orders never ended would go on asking.
process.exit();
