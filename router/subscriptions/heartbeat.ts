// Finds connections whose other end is gone: one timer for all of them, each asked once in every interval.

/** A connection that can be asked whether it is there. */
export interface Beating {
  /** Called once in every interval: asks the peer, or gives up when the last question was not answered. */
  beat(): void;
}

export interface Heartbeat {
  /** Asks `item` from now on. Returns how to stop. */
  add(item: Beating): number;
  remove(slot: number, item: Beating): void;
  close(): void;
}

/** Spreads the questions of one interval over this many moments, so that 20,000 connections are no burst. */
const slotCount = 60;

/** @param intervalMs between two questions to one connection. */
export function createHeartbeat(intervalMs: number): Heartbeat {
  const slots = Array.from({ length: slotCount }, () => new Set<Beating>());
  let added = 0;
  let current = 0;
  const timer = setInterval(() => {
    current = (current + 1) % slotCount;
    for (const item of slots[current] ?? []) item.beat();
  }, intervalMs / slotCount);
  timer.unref();

  return {
    add(item) {
      // Behind the present slot, so that a connection has almost a whole interval before its first question.
      const slot = (current + (added % slotCount)) % slotCount;
      added += 1;
      slots[slot]?.add(item);
      return slot;
    },
    remove(slot, item) {
      slots[slot]?.delete(item);
    },
    close() {
      clearInterval(timer);
    },
  };
}
