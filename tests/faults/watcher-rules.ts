// What must hold for watchers (G8): what they saw of an order is its timeline, in order, without repeat and without a gap that they were
// not told of.
import type { OrderStatus } from '../../schema/events.ts';
import type { Report } from './checker.ts';
import type { OrderFact, Place, Snapshot } from './snapshot.ts';

export interface SeenEvent {
  readonly orderId: string;
  readonly version: number;
  readonly status: OrderStatus;
  /** Rises when the watcher was told to start anew, behind which an event may come once more. */
  readonly epoch: number;
  /** How many older ones of the order gave way to it, as the router told with it: the client or its beginning was too slow for all. */
  readonly skipped: number;
  /** When it was received, and on which of the watcher's connections. */
  readonly at: string;
  readonly connection: number;
}

export interface WatcherRecord {
  readonly name: string;
  /** Whether this watcher should have seen the order. */
  readonly watches: (order: OrderFact) => boolean;
  readonly events: readonly SeenEvent[];
}

/** What a watcher saw in one go, by where it was stored: nothing between may be missing. */
interface Span {
  readonly from: Place;
  /** Undefined: it watched to the end. */
  readonly to: Place | undefined;
}

export function checkWatchers(watcher: WatcherRecord, { orders, outbox }: Snapshot, report: Report): void {
  const places = new Map<string, Place>();
  for (const { type, aggregateId, version, place } of outbox) {
    if (type === 'order.status' && place !== null) places.set(keyOf(aggregateId, version), place);
  }
  const spans = spansOf(watcher.events, places);
  const seen = Map.groupBy(watcher.events, ({ orderId }) => orderId);
  for (const order of orders) {
    if (!watcher.watches(order)) continue;
    const { id, timeline } = order;
    const events = seen.get(id) ?? [];
    seen.delete(id);
    let last = 0;
    let lastEpoch = 0;
    const told = new Set<number>();
    for (const { version, status, epoch, skipped } of events) {
      if (epoch !== lastEpoch) last = 0;
      lastEpoch = epoch;
      const entry = timeline[version - 1];
      if (entry?.status !== status) {
        report('watchers see the timeline', id, `${watcher.name} saw ${status} as version ${String(version)}`);
      }
      if (version <= last) {
        report('watchers see no repeat', id, `${watcher.name} saw version ${String(version)} after ${String(last)}`);
      }
      if (skipped >= version - last && skipped > 0) {
        report('watchers see no gap', id, `${watcher.name} was told of ${String(skipped)} too many before ${status}`);
      }
      for (let one = version - skipped; one <= version; one += 1) told.add(one);
      last = Math.max(last, version);
    }
    for (const { version, status } of timeline) {
      if (told.has(version)) continue;
      const place = places.get(keyOf(id, version));
      const within = spans.some((span) => place !== undefined && liesIn(place, span));
      // Also where nothing is known of places: one that saw the change before and the one after in one go has missed this.
      const between = events.some(
        (event) =>
          event.version < version && events.some((after) => after.version > version && after.epoch === event.epoch),
      );
      if (within || between) {
        report('watchers see no gap', id, `${watcher.name} did not see ${status}, version ${String(version)}`);
      }
    }
  }
  for (const [id] of seen)
    report('watchers see what is theirs', id, `${watcher.name} saw an order that it does not watch`);
}

const keyOf = (orderId: string, version: number): string => `${orderId} ${String(version)}`;

const compare = (one: Place, other: Place): number =>
  Date.parse(one.streamCreated) - Date.parse(other.streamCreated) || one.sequence - other.sequence;

const liesIn = (place: Place, { from, to }: Span): boolean =>
  compare(place, from) >= 0 && (to === undefined || compare(place, to) <= 0);

/**
 * A watcher that starts anew gives up what was stored between the last event before and the first one after, and nothing else. Only
 * events that came from the stream they were stored in at first tell where it stood: what a lost stream held comes again in the next
 * one, and what was seen although the stream was lost before its answer came is stored at first in the next one.
 */
function spansOf(events: readonly SeenEvent[], places: ReadonlyMap<string, Place>): Span[] {
  const made = [...new Set([...places.values()].map(({ streamCreated }) => streamCreated))].sort();
  const firsthand = events.flatMap(({ orderId, version, epoch, at }) => {
    const place = places.get(keyOf(orderId, version));
    return place !== undefined && made.findLast((created) => created <= at) === place.streamCreated
      ? [{ epoch, place }]
      : [];
  });
  const lastEpoch = Math.max(...events.map(({ epoch }) => epoch));
  return [...Map.groupBy(firsthand, ({ epoch }) => epoch)].flatMap(([epoch, some]) => {
    const sorted = some.map(({ place }) => place).sort(compare);
    const [from, to] = [sorted[0], sorted.at(-1)];
    return from === undefined ? [] : [{ from, to: epoch === lastEpoch ? undefined : to }];
  });
}
