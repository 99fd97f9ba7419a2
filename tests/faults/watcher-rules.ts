// What must hold for watchers (G8): what they saw of an order is its timeline, in order, without gap or repeat.
import type { OrderStatus } from '../../schema/events.ts';
import type { Report } from './checker.ts';
import type { OrderFact } from './snapshot.ts';

export interface SeenEvent {
  readonly orderId: string;
  readonly version: number;
  readonly status: OrderStatus;
  /** Counts from 0; rises when the watcher was told to start anew, behind which an event may come once more. */
  readonly epoch: number;
  /** When it was received, and on which of the watcher's connections. */
  readonly at: string;
  readonly connection: number;
}

export interface WatcherRecord {
  readonly name: string;
  /** Whether this watcher should have seen the order. */
  readonly watches: (order: OrderFact) => boolean;
  readonly events: readonly SeenEvent[];
  /**
   * From the last event before the watcher was told to start anew (its cursor is of a stream that is no more), to the first one
   * after: what happened between is not its to see. The first gap ends with its first event, in epoch 1.
   */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
}

/**
 * How long a change may wait to be stored, several faults in a row and a stream that is filled again included. Those that waited when the stream was
 * lost are stored in the next one, before a watcher that starts anew is there.
 */
const longestWaitMs = 120_000;

export function checkWatchers(watcher: WatcherRecord, orders: readonly OrderFact[], report: Report): void {
  const seen = Map.groupBy(watcher.events, ({ orderId }) => orderId);
  for (const order of orders) {
    if (!watcher.watches(order)) continue;
    const { id, timeline } = order;
    const events = seen.get(id) ?? [];
    seen.delete(id);
    let last = 0;
    let lastEpoch = 0;
    for (const { version, status, epoch } of events) {
      if (epoch !== lastEpoch) last = 0;
      lastEpoch = epoch;
      const entry = timeline[version - 1];
      if (entry?.status !== status) {
        report('watchers see the timeline', id, `${watcher.name} saw ${status} as version ${String(version)}`);
      }
      if (version <= last) {
        report('watchers see no repeat', id, `${watcher.name} saw version ${String(version)} after ${String(last)}`);
      }
      last = Math.max(last, version);
    }
    const versions = new Set(events.map(({ version }) => version));
    for (const { version, status, at } of timeline) {
      const time = Date.parse(at);
      const fellInGap = ({ from, to }: { from: number; to: number }, gap: number): boolean =>
        time >= from - longestWaitMs &&
        time <= to &&
        events.every((seen) => (seen.epoch > gap ? seen.version > version : seen.version < version));
      if (!versions.has(version) && !watcher.gaps.some(fellInGap)) {
        report('watchers see no gap', id, `${watcher.name} did not see ${status}, version ${String(version)}`);
      }
    }
  }
  for (const [id] of seen)
    report('watchers see what is theirs', id, `${watcher.name} saw an order that it does not watch`);
}
