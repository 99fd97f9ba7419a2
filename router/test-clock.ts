// For tests: a clock that stands still until the test moves it on, so that no time-out runs out because the machine is busy.
import { jest } from '@jest/globals';

export interface StoppedClock extends Disposable {
  /** Moves it on; what was to happen by then happens now. */
  advance(milliseconds: number): void;
  /** How many time-outs run. */
  timers(): number;
}

/** Stops `Date` and `setTimeout` of this process; all else, sockets and their events before all, goes on. Begin with it, as it holds for timers set from then on. */
export function stopClock(): StoppedClock {
  jest.useFakeTimers({
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
    ],
  });
  return {
    advance: (milliseconds) => jest.advanceTimersByTime(milliseconds),
    timers: () => jest.getTimerCount(),
    [Symbol.dispose]: () => jest.useRealTimers(),
  };
}
