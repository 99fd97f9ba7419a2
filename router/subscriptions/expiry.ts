// Calls back when tokens expire: one timer for each distinct moment, however many connections share it.

/** Something that must end at a moment. */
export interface Expiring {
  expired(): void;
}

export interface ExpirySchedule {
  /** Calls `item.expired()` at `at` (milliseconds since the epoch), or soon if that has passed. */
  add(at: number, item: Expiring): void;
  remove(at: number, item: Expiring): void;
  close(): void;
}

/** The longest delay that a timer takes. */
const maxDelayMs = 2_147_483_647;

export function createExpirySchedule(now: () => number = Date.now): ExpirySchedule {
  const moments = new Map<number, { readonly items: Set<Expiring>; timer: NodeJS.Timeout }>();

  const arm = (at: number): NodeJS.Timeout => {
    const timer = setTimeout(() => ring(at), Math.min(maxDelayMs, Math.max(0, at - now())));
    timer.unref();
    return timer;
  };
  const ring = (at: number): void => {
    const moment = moments.get(at);
    if (moment === undefined) return;
    if (now() < at) {
      moment.timer = arm(at);
      return;
    }
    moments.delete(at);
    for (const item of moment.items) item.expired();
  };

  return {
    add(at, item) {
      const moment = moments.get(at);
      if (moment !== undefined) moment.items.add(item);
      else moments.set(at, { items: new Set([item]), timer: arm(at) });
    },
    remove(at, item) {
      const moment = moments.get(at);
      if (moment?.items.delete(item) !== true || moment.items.size > 0) return;
      clearTimeout(moment.timer);
      moments.delete(at);
    },
    close() {
      for (const { timer } of moments.values()) clearTimeout(timer);
      moments.clear();
    },
  };
}
