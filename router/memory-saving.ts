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
/** While the process is quiet it is looked at often: what a rush of queries pays for memory, it pays from its first moment on. */
const intervalsMs = { quiet: 200, subscriptions: 2_000, none: 2_000 };
/** Busy for no more of the time than this, the process is quiet. */
const quietUtilization = 0.1;
/** Seconds of quiet after which memory is favoured. Collections that favour it drop compiled code too, which a pause is no reason for. */
const quietAfter = 30;
/** Subscriptions opened in a second from which on it is they that the heap grows by. */
const manySubscriptions = 500;

/** Looks all the time how busy the process is. Returns how to stop it. */
export function saveMemory(subscriptionsOpened: () => number): () => void {
  let before = performance.eventLoopUtilization();
  let lookedAt = performance.now();
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
  let timer: NodeJS.Timeout;
  const lookAfter = (milliseconds: number): void => {
    timer = setTimeout(() => {
      const now = performance.now();
      const reason = look((now - lookedAt) / 1_000);
      lookedAt = now;
      lookAfter(intervalsMs[reason]);
    }, milliseconds).unref();
  };
  lookAfter(intervalsMs.none);
  return () => clearTimeout(timer);
}

/** Why memory is favoured. */
type Reason = 'quiet' | 'subscriptions' | 'none';

/** One look, so many seconds after the last: sets the flag when the reasons to favour memory begin, and takes it back when they end. */
export function createMemorySaving(parts: MemorySavingParts): (seconds: number) => Reason {
  let isSaving = false;
  let openedBefore = 0;
  let quietFor = 0;
  return (seconds) => {
    const opened = parts.subscriptionsOpened();
    const isStarting = opened - openedBefore >= manySubscriptions * seconds;
    openedBefore = opened;
    quietFor = parts.utilization() <= quietUtilization ? quietFor + seconds : 0;
    // What has just been started leaves something behind: there is no need to wait.
    const isQuiet = quietFor >= quietAfter || (isSaving && quietFor > 0);
    const reason = isQuiet ? 'quiet' : isStarting ? 'subscriptions' : 'none';
    const shouldSave = reason !== 'none';
    if (shouldSave !== isSaving) parts.setFlags(shouldSave ? `--${memoryFlag}` : `--no-${memoryFlag}`);
    isSaving = shouldSave;
    return reason;
  };
}
