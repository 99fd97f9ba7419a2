// One fault run: the real stack under load while a schedule of faults is carried out, then everything is mended, then it is judged.
import { setTimeout as pause } from 'node:timers/promises';
import type { EngineName } from '../../service/database-engines.ts';
import { findViolations } from './checker.ts';
import type { Evidence, Violation } from './checker.ts';
import { startCustomers } from './customers.ts';
import { injectFaults } from './inject.ts';
import { createRandom } from './random.ts';
import { startRiders } from './riders.ts';
import { describeFault, planFaults } from './schedule.ts';
import type { Fault, FaultKind, ScheduleOptions } from './schedule.ts';
import { countUnsettled, takeSnapshot } from './snapshot.ts';
import { tellStory } from './story.ts';
import { startWatcher } from './watchers.ts';
import type { Watcher } from './watchers.ts';
import { startWorld } from './world.ts';
import type { World } from './world.ts';

export interface FaultRunOptions {
  readonly folder: string;
  readonly seed: number;
  /** What is planned from the seed, or the faults themselves. */
  readonly schedule: Omit<ScheduleOptions, 'durationMs'> | readonly Fault[];
  readonly durationMs: number;
  readonly ordersPerSecond: number;
  /** How long everything may take to end once the last fault is over. */
  readonly settleWithinMs: number;
  readonly environment?: Parameters<typeof startWorld>[0]['environment'];
  /** The engine of payment's database; default `postgresql`. */
  readonly payment?: EngineName | undefined;
  readonly onProgress?: (line: string) => void;
}

export interface FaultReport {
  readonly seed: number;
  readonly orders: number;
  /** Orders whose customer asked to cancel; how many were is in `ended`. */
  readonly cancelAsked: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** From the order being placed to its end; the longest in milliseconds. */
  readonly longestToEndMs: number;
  /** From the end of the last fault until nothing was on its way any more. */
  readonly settledAfterMs: number;
  /** Orders whose first answer was lost. */
  readonly answersLost: number;
  readonly watched: number;
  /** Those that gave way to newer ones, as the watchers were told. */
  readonly gaveWay: number;
  /** Where a watcher was told to start anew: what happened then was not its to see. */
  readonly watcherGaps: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  readonly violations: readonly Violation[];
  /** When the first customer came and the faults began to be counted from, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** What was judged. */
  readonly evidence: Evidence;
  /** For a person: the stories of the first orders that are at fault. */
  readonly stories: readonly string[];
}

const storiesAtMost = 3;

export async function runFaults(options: FaultRunOptions): Promise<FaultReport> {
  const say = options.onProgress ?? (() => undefined);
  const { seed, durationMs } = options;
  const random = createRandom(seed);
  const planning = random.fork();
  const faults = isList(options.schedule)
    ? options.schedule
    : planFaults(planning, {
        ...options.schedule,
        durationMs,
        ...(options.payment === 'mariadb' ? { also: ['mariadb'] } : {}),
      });
  say(
    `seed ${String(seed)}: ${String(faults.length)} faults in ${String(Math.round(durationMs / 1000))} s; starting the stack`,
  );

  await using world = withDispose(
    await startWorld({
      folder: options.folder,
      payment: options.payment,
      ...(options.environment === undefined ? {} : { environment: options.environment }),
    }),
  );
  const token = tokens(world);
  const { graphqlUrl, websocketUrl } = world;
  const watchers = [
    startWatcher({
      name: 'the operator',
      websocketUrl,
      token: () => token('operator', 'orders:read:all'),
      field: 'allOrderStatusChanged',
      watches: () => true,
    }),
    ...['customer-0', 'customer-1', 'customer-2'].map((name) =>
      startWatcher({
        name,
        websocketUrl,
        token: () => token(name),
        field: 'myOrderStatusChanged',
        watches: (order) => order.customer_id === name,
      }),
    ),
  ];
  const customers = startCustomers({
    graphqlUrl,
    token,
    random: random.fork(),
    ordersPerSecond: options.ordersPerSecond,
    customers: 50,
    cancelShare: 0.4,
    cancelWithinMs: 8_000,
  });
  const riders = startRiders({
    graphqlUrl,
    token: () => token('rider', 'deliveries:read deliveries:write'),
    random: random.fork(),
    longestMs: 6_000,
  });

  const startedAt = performance.now();
  const injection = injectFaults(world, faults, (fault) => say(`${clock(startedAt)} ${describeFault(fault)}`));
  const progress = setInterval(() => {
    const placed = customers.records.filter(({ orderIds }) => orderIds.size > 0).length;
    const injected = [...injection.counts.values()].reduce((sum, count) => sum + count, 0);
    say(
      `${clock(startedAt)} orders ${String(placed)} of ${String(customers.records.length)} answered, ` +
        `${String(riders.told.size)} delivered, ${String(injected)} faults, ${describeWatcher(watchers[0])}`,
    );
  }, 10_000);
  try {
    await Promise.all([injection.done, pause(durationMs)]);
    say(`${clock(startedAt)} the faults are over; settling`);
    const mendedAt = performance.now();
    await Promise.all([...world.processes.values()].map((process) => process.ready()));
    const unsettled = await settle(world, customers.stop(), options.settleWithinMs, say);
    const settledAfterMs = performance.now() - mendedAt;
    // Watchers get what is stored now; one that was sent away connects again.
    await pause(2_000);
    await riders.stop();
    await Promise.all(watchers.map((watcher) => watcher.stop()));

    const snapshot = await takeSnapshot(world.databases, world.broker);
    const evidence: Evidence = { snapshot, customers: customers.records, told: riders.told, watchers };
    const violations = findViolations(evidence);
    if (unsettled !== undefined) violations.push({ rule: 'everything settles', orderId: undefined, text: unsettled });
    const atFault = [...new Set(violations.map(({ orderId }) => orderId))].filter((id) => id !== undefined);
    return {
      seed,
      orders: snapshot.orders.length,
      cancelAsked: customers.records.filter(({ cancelAskedAt }) => cancelAskedAt !== undefined).length,
      ended: countBy(snapshot.orders.map(({ status }) => status)),
      faults: Object.fromEntries(injection.counts),
      longestToEndMs: longest(snapshot.orders),
      settledAfterMs,
      answersLost: customers.records.filter(({ attempts }) => attempts > 1).length,
      watched: watchers.reduce((sum, { events }) => sum + events.length, 0),
      gaveWay: watchers.flatMap(({ events }) => events).reduce((sum, { skipped }) => sum + skipped, 0),
      watcherGaps: watchers.flatMap(({ name, gaps }) => gaps.slice(1).map((gap) => ({ name, ...gap }))),
      violations,
      startedAt: performance.timeOrigin + startedAt,
      evidence,
      stories: await Promise.all(atFault.slice(0, storiesAtMost).map((id) => tellStory(world, evidence, id))),
    };
  } finally {
    clearInterval(progress);
  }
}

/** Waits until nothing is on its way; gives what still is when the time is over. */
async function settle(
  world: World,
  customersGone: Promise<void>,
  withinMs: number,
  say: (line: string) => void,
): Promise<string | undefined> {
  const deadline = performance.now() + withinMs;
  const waiting = new Set([customersGone]);
  void customersGone.then(() => waiting.clear());
  for (let round = 0; ; round += 1) {
    const left = await countUnsettled(world.databases, world.broker).catch((error: unknown) => String(error));
    const text = JSON.stringify(left);
    if (waiting.size === 0 && typeof left === 'object' && Object.values(left).every((count) => count === 0))
      return undefined;
    if (performance.now() > deadline)
      return `customers ${waiting.size === 0 ? 'gone' : 'still waiting'}, left: ${text}`;
    if (round % 20 === 0) say(`still on its way: ${text}`);
    await pause(250);
  }
}

/** Tokens that are made once and again before they expire. */
function tokens(world: World): (sub: string, scope?: string) => Promise<string> {
  const known = new Map<string, Promise<string>>();
  return (sub, scope) => {
    const found = known.get(sub);
    if (found !== undefined) return found;
    const made = world.issuer.token({ sub, scope, expiresInSeconds: 24 * 3_600 });
    known.set(sub, made);
    return made;
  };
}

const describeWatcher = (watcher: Watcher | undefined): string =>
  `${watcher?.name ?? 'nobody'} saw ${String(watcher?.events.length ?? 0)} over ${String(watcher?.connections ?? 0)} ` +
  `connections (the last one ended: ${watcher?.lastEnd ?? 'never'})`;

const longest = (orders: Evidence['snapshot']['orders']): number =>
  Math.max(
    0,
    ...orders.map(({ timeline }) => Date.parse(timeline.at(-1)?.at ?? '') - Date.parse(timeline[0]?.at ?? '')),
  );

/** `Array.isArray` does not narrow what is readonly. */
const isList = (schedule: FaultRunOptions['schedule']): schedule is readonly Fault[] => Array.isArray(schedule);

const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

const clock = (startedAt: number): string => {
  const seconds = Math.floor((performance.now() - startedAt) / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
};

const withDispose = <T extends { close(): Promise<void> }>(value: T): T & AsyncDisposable =>
  Object.assign(value, { [Symbol.asyncDispose]: () => value.close() });
