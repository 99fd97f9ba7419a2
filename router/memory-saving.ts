// Tells V8 when to favour speed and when memory. While the process is busy the heap may double before it is collected, which makes queries
// quick. While it is quiet, or very many subscriptions start, V8 collects early and in small steps, and gives back what they leave behind.
import { setFlagsFromString } from 'node:v8';

/** What is looked at and set; the tests have others than the process. */
export interface MemorySavingParts {
  /** Share of the time since the last call in which the event loop was busy. */
  readonly utilization: () => number;
  /** How many subscriptions were opened so far. */
  readonly subscriptionsOpened: () => number;
  readonly setFlags: (flags: string) => void;
}

/**
 * With it the memory reducer, which V8 has anyway, starts seconds after a heap has grown. Without it, it waits for a low rate of
 * allocation that it never sees in Node 24, and starts 100 s after the last collection only.
 */
export const memoryFlag = 'optimize-for-size';
const intervalMs = 2_000;
/** Busy for no more of the time than this, the process is quiet. */
const quietUtilization = 0.1;
/** Subscriptions opened between two looks from which on it is they that the heap grows by. */
const manySubscriptions = 1_000;

/** Looks every few seconds how busy the process is. Returns how to stop it. */
export function saveMemory(subscriptionsOpened: () => number): () => void {
  let before = performance.eventLoopUtilization();
  const look = createMemorySaving({
    utilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    subscriptionsOpened,
    setFlags: setFlagsFromString,
  });
  const timer = setInterval(look, intervalMs).unref();
  return () => clearInterval(timer);
}

/** One look: sets the flag when the reasons to favour memory begin, and takes it back when they end. */
export function createMemorySaving(parts: MemorySavingParts): () => void {
  let isSaving = false;
  let openedBefore = 0;
  return () => {
    const opened = parts.subscriptionsOpened();
    const isQuiet = parts.utilization() <= quietUtilization;
    const shouldSave = isQuiet || opened - openedBefore >= manySubscriptions;
    openedBefore = opened;
    if (shouldSave === isSaving) return;
    isSaving = shouldSave;
    parts.setFlags(shouldSave ? `--${memoryFlag}` : `--no-${memoryFlag}`);
  };
}
