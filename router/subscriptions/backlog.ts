// Results that wait for one client. Bounded: over its length the newest result of a subject takes the place of the older ones.
import type { Payload } from './payload.ts';

/** One result on its way to a subscriber. */
export interface Delivery {
  readonly subject: string;
  /** The event's order in its topic; 0 in a snapshot or replay. */
  readonly order: number;
  readonly payload: Payload;
  /** Results of the same subject that gave way to this one. */
  readonly skipped: number;
}

/** A queue that conflates by subject once it is full: status is a state, so the oldest give way to the newest. */
export class Backlog {
  #deliveries: Delivery[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#deliveries.length;
  }

  /**
   * Adds a delivery. Returns how many older ones gave way, or undefined when the queue is full of other subjects: the client
   * cannot be told the newest of each any more.
   */
  push(delivery: Delivery): number | undefined {
    if (this.#deliveries.length < this.#limit) {
      this.#deliveries.push(delivery);
      return 0;
    }
    const kept: Delivery[] = [];
    let { skipped } = delivery;
    let gaveWay = 0;
    for (const older of this.#deliveries) {
      if (older.subject === delivery.subject) {
        skipped += older.skipped + 1;
        gaveWay += 1;
      } else {
        kept.push(older);
      }
    }
    if (gaveWay === 0) return undefined;
    kept.push({ ...delivery, skipped });
    this.#deliveries = kept;
    return gaveWay;
  }

  shift(): Delivery | undefined {
    return this.#deliveries.shift();
  }
}
