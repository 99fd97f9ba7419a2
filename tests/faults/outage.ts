// `npm run faults -- --outage payment`: one part is away for two minutes while customers go on ordering. Measures what they notice of it
// (N2, N3), and how the backlog drains.
import type { SubgraphName } from '../../dev/stack-addresses.ts';
import type { Evidence } from './checker.ts';
import type { Fault } from './schedule.ts';

/** All instances of a service stop at `fromMs` and are started again at `toMs`. */
export interface Outage {
  readonly service: Exclude<SubgraphName, 'order'>;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface OutageFigures {
  /** 99th percentile of the time from asking for an order to its answer, of those asked before, during and after. */
  readonly p99BeforeMs: number;
  readonly p99DuringMs: number;
  readonly p99AfterMs: number;
  /** Orders that waited for the service when it came back. */
  readonly backlog: number;
  /** From then until the last of them had gone on. */
  readonly drainedAfterMs: number;
}

/** Customers of the first seconds meet processes that have just begun. */
const warmUpMs = 20_000;

export const outageFaults = ({ service, fromMs, toMs }: Outage): readonly Fault[] =>
  [service, `${service}-2`].map((target) => ({
    ...{ kind: 'restart' as const, target, atMs: fromMs, durationMs: toMs - fromMs, delayMs: 0 },
  }));

/** @param startedAt of the run, in milliseconds since the epoch, as the times in the evidence are. */
export function measureOutage({ snapshot, customers }: Evidence, outage: Outage, startedAt: number): OutageFigures {
  const [from, to] = [startedAt + outage.fromMs, startedAt + outage.toMs];
  const p99 = (since: number, until: number): number =>
    percentile(
      customers
        .filter(({ askedAt }) => askedAt >= since && askedAt < until)
        .map(({ answeredAfterMs = Infinity }) => answeredAfterMs),
      0.99,
    );
  const waitsFor = outage.service === 'payment' ? 'ORDERED' : 'PAID';
  const left = snapshot.orders.flatMap(({ timeline }) => {
    const times = timeline.map(({ at }) => Date.parse(at));
    const waiting = timeline.findIndex(({ status }) => status === waitsFor);
    // A cancel does not end the wait: it is the service that has to confirm it.
    const gone = timeline.findIndex(({ status }, index) => index > waiting && status !== 'CANCELLING');
    const [since = Infinity, until = Infinity] = [times[waiting], times[gone]];
    return since < to && until >= to ? [until] : [];
  });
  return {
    p99BeforeMs: p99(startedAt + warmUpMs, from),
    p99DuringMs: p99(from, to),
    p99AfterMs: p99(to, Infinity),
    backlog: left.length,
    drainedAfterMs: left.length === 0 ? 0 : Math.max(...left) - to,
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
}
