// A budget of retries: a share of the requests, so that retries cannot multiply the load on a subgraph that is in trouble. Pure.

/** What a subgraph may be asked again. Each first attempt pays in, each retry takes out. */
export interface RetryBudget {
  /** A first attempt was made. */
  deposit(): void;
  /** Takes one retry out; false when the budget is spent. */
  withdraw(): boolean;
}

/** Retries per second that are allowed whatever the traffic: with few requests a share of them would be none. */
export const minRetriesPerSecond = 2;
/** Seconds of the floor that may be saved up; also what a new budget begins with. */
const savedSeconds = 10;
/** Retries that may be saved up from busy times. */
const maxSaved = 500;

/**
 * @param percent retries for each hundred first attempts.
 * @param now milliseconds, from any beginning.
 */
export function createRetryBudget(percent: number, now: () => number): RetryBudget {
  const maxFloor = minRetriesPerSecond * savedSeconds;
  /** In hundredths of a retry, so that it stays exact. */
  let saved = 0;
  let floor = maxFloor;
  let filledAt = now();

  return {
    deposit() {
      saved = Math.min(saved + percent, maxSaved * 100);
    },
    withdraw() {
      if (percent === 0) return false;
      if (saved >= 100) {
        saved -= 100;
        return true;
      }
      const time = now();
      floor = Math.min(floor + ((time - filledAt) / 1000) * minRetriesPerSecond, maxFloor);
      filledAt = time;
      if (floor < 1) return false;
      floor -= 1;
      return true;
    },
  };
}
