// Calls every connection once in an interval, spread over it, with one timer for all of them and none while there are none.

/** A connection that is called once in every interval: to ask whether it is there, or to say that we are. */
export interface Beating {
  beat(): void;
}

export interface Heartbeat {
  /** Calls `item` from now on. Returns the slot that `remove` needs. */
  add(item: Beating): number;
  remove(slot: number, item: Beating): void;
  close(): void;
}

/** So that 20,000 connections are no burst. */
const slotCount = 60;

/** @param intervalMs between two calls of one connection. */
export function createHeartbeat(intervalMs: number): Heartbeat {
  const slots = Array.from({ length: slotCount }, () => new Set<Beating>());
  let items = 0;
  let current = 0;
  let next = 0;
  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    current = (current + 1) % slotCount;
    for (const item of slots[current] ?? []) item.beat();
  };

  return {
    add(item) {
      next = (next + 1) % slotCount;
      // Not the slot that is next: a new connection has nothing to answer yet.
      const slot = next === (current + 1) % slotCount ? current : next;
      slots[slot]?.add(item);
      items += 1;
      timer ??= setInterval(tick, intervalMs / slotCount).unref();
      return slot;
    },
    remove(slot, item) {
      if (slots[slot]?.delete(item) !== true) return;
      items -= 1;
      if (items > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    close() {
      clearInterval(timer);
    },
  };
}
