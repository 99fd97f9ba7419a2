// Tells V8 when to favour speed and when memory. While the process is busy the heap may double before it is collected, which makes queries
// quick; while it is quiet V8 collects in small steps and gives back what, say, a hundred thousand subscriptions left when they started.
import { setFlagsFromString } from 'node:v8';

/** What is looked at and set; the tests have others than the process. */
export interface MemorySavingParts {
  /** Share of the time since the last call in which the event loop was busy. */
  readonly utilization: () => number;
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

/** Looks every few seconds how busy the process is. Returns how to stop it. */
export function saveMemoryWhenQuiet(): () => void {
  let before = performance.eventLoopUtilization();
  const look = createMemorySaving({
    utilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    setFlags: setFlagsFromString,
  });
  const timer = setInterval(look, intervalMs).unref();
  return () => clearInterval(timer);
}

/** One look: sets the flag when the process has become quiet or busy. */
export function createMemorySaving({ utilization, setFlags }: MemorySavingParts): () => void {
  let isSaving = false;
  return () => {
    const isQuiet = utilization() <= quietUtilization;
    if (isQuiet === isSaving) return;
    isSaving = isQuiet;
    setFlags(isQuiet ? `--${memoryFlag}` : `--no-${memoryFlag}`);
  };
}
