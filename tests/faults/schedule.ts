// Which faults happen when: a list made from the seed alone. Every kind of fault meets every part before one comes again.
import { subgraphNames } from '../../dev/stack-addresses.ts';
import type { Random } from './random.ts';

export const faultKinds = ['kill', 'pause', 'restart', 'drop', 'delay', 'cut', 'wipe'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** From the beginning of the run. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** A process for kill, pause and restart; a link for drop, delay and cut; `nats` for wipe. */
  readonly target: string;
  /** How long a pause, a delay or a cut lasts, or the server stays away. 0 for what is over at once. */
  readonly durationMs: number;
  /** For delay: how late every byte is. */
  readonly delayMs: number;
}

export interface ScheduleOptions {
  readonly durationMs: number;
  /** Mean time between two faults. */
  readonly everyMs: number;
  /** The longest pause, delay or cut. */
  readonly longestMs: number;
  /** Only faults of which `kind target` matches; default all. */
  readonly only?: RegExp | undefined;
  /** Further processes that can be killed, paused and restarted. */
  readonly also?: readonly string[];
  /** These as `kind target` come first, in this order: what a short run must not miss. */
  readonly first?: readonly string[];
}

/** Instances of a subgraph by the names that the stack gives them. */
const services = subgraphNames.flatMap((name) => [name, `${name}-2`]);
const processes = [...services, 'router', 'postgres', 'nats'];
const links = [
  ...subgraphNames.flatMap((name) => [`${name} to nats`, `${name} to postgres`, `router to ${name}`]),
  'router to nats',
  'clients to router',
];
const processCards = (name: string) => [['kill', name] as const, ['pause', name] as const, ['restart', name] as const];
const deck: readonly (readonly [FaultKind, string])[] = [
  ...processes.flatMap(processCards),
  ...links.flatMap((name) => [['drop', name] as const, ['delay', name] as const, ['cut', name] as const]),
  ['wipe', 'nats'],
  ['wipe', 'nats'],
  ['wipe', 'nats'],
];

export function planFaults(random: Random, options: ScheduleOptions): readonly Fault[] {
  const cards = [...deck, ...(options.also ?? []).flatMap(processCards)].filter(
    (card) => options.only?.test(card.join(' ')) ?? true,
  );
  const faults: Fault[] = [];
  let hand: (readonly [FaultKind, string])[] = [];
  let atMs = 0;
  for (;;) {
    // Between a tenth and nineteen tenths of the mean: some come while the one before is still going on.
    atMs += random.between(0.1, 1.9) * options.everyMs;
    if (atMs >= options.durationMs) return faults;
    if (hand.length === 0) hand = random.shuffle(cards);
    const wanted = options.first?.[faults.length];
    const [kind, target] = cards.find((card) => card.join(' ') === wanted) ?? hand.pop() ?? ['kill', 'order'];
    const lasts = kind === 'pause' || kind === 'delay' || kind === 'cut';
    const isServer = target === 'nats' || target === 'postgres' || target === 'mariadb';
    const durationMs = lasts
      ? random.between(0.05, 1) ** 2 * options.longestMs
      : isServer && kind !== 'kill'
        ? random.between(0, options.longestMs / 3)
        : 0;
    faults.push({
      atMs: Math.round(atMs),
      kind,
      target,
      durationMs: Math.round(durationMs),
      delayMs: kind === 'delay' ? Math.round(random.between(5, 700)) : 0,
    });
  }
}

export const describeFault = ({ kind, target, durationMs, delayMs }: Fault): string =>
  [
    kind,
    target,
    ...(delayMs > 0 ? [`by ${String(delayMs)} ms`] : []),
    ...(durationMs > 0 ? [`for ${(durationMs / 1000).toFixed(1)} s`] : []),
  ].join(' ');
