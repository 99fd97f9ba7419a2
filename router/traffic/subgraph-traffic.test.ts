// What a subgraph in trouble is spared, and what a request meets then.
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { FailedAttempt, parseRetryAfter } from './failed-attempt.ts';
import type { FailureReason } from './failed-attempt.ts';
import { createSubgraphTraffic, refusalOf } from './subgraph-traffic.ts';
import type { SubgraphTraffic, TrafficLimits } from './subgraph-traffic.ts';

const usual: TrafficLimits = {
  timeoutMs: 1_000,
  concurrency: 2,
  queue: 1,
  retries: 1,
  retryPercent: 20,
  breakerPercent: 50,
  breakerOpenMs: 2_000,
};

let time = 0;
const pauses: number[] = [];
const told: string[] = [];

// The breaker's library reads Date.
beforeEach(() => {
  time = 0;
  pauses.length = 0;
  told.length = 0;
  jest.useFakeTimers({
    doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout', 'performance'],
    now: 0,
  });
});
afterEach(() => {
  jest.useRealTimers();
});

function traffic(limits: Partial<TrafficLimits> = {}): SubgraphTraffic {
  const events = {
    retried: () => told.push('retried'),
    circuit: (open: boolean) => told.push(open ? 'open' : 'closed'),
  };
  const pause = (milliseconds: number): Promise<void> => {
    pauses.push(milliseconds);
    time += milliseconds;
    return Promise.resolve();
  };
  return createSubgraphTraffic({ ...usual, ...limits }, events, { now: () => time, pause, random: () => 0.5 });
}

const failing = (reason: FailureReason, retryAfterMs?: number) =>
  jest.fn(() => Promise.reject(new FailedAttempt(reason, 'no', { retryAfterMs })));
const outcome = (fetch: Promise<unknown>): Promise<unknown> =>
  fetch.then(
    () => 'ok',
    (error: unknown) => refusalOf(error) ?? (error instanceof FailedAttempt ? error.reason : error),
  );
const ok = (): Promise<string> => Promise.resolve('answer');

describe('a retry', () => {
  test.each<[FailureReason, 'query' | 'mutation', number]>([
    ['unsent', 'query', 2],
    ['broken', 'query', 2],
    ['turned-away', 'query', 2],
    ['timeout', 'query', 1],
    ['bad-answer', 'query', 1],
    ['unsent', 'mutation', 2],
    ['broken', 'mutation', 1],
    ['turned-away', 'mutation', 1],
    ['timeout', 'mutation', 1],
  ])('after "%s" of a %s: %d attempts', async (reason, kind, attempts) => {
    const attempt = failing(reason);
    expect(await outcome(traffic().fetch(kind, attempt))).toBe(reason);
    expect(attempt).toHaveBeenCalledTimes(attempts);
  });

  test('that succeeds is the answer', async () => {
    const attempt = jest.fn(ok).mockRejectedValueOnce(new FailedAttempt('broken', 'no'));
    await expect(traffic().fetch('query', attempt)).resolves.toBe('answer');
    expect(told).toEqual(['retried']);
  });

  test('waits as long as the subgraph asked for', async () => {
    await outcome(traffic().fetch('query', failing('turned-away', 700)));
    expect(pauses).toEqual([700]);
  });

  test('is not made when the subgraph asks for more time than there is', async () => {
    const attempt = failing('turned-away', 1_000);
    await outcome(traffic().fetch('query', attempt));
    expect(attempt).toHaveBeenCalledTimes(1);
  });

  test('has only the time that is left', async () => {
    const given: number[] = [];
    const attempt = (leftMs: number): Promise<never> => {
      given.push(leftMs);
      time += 300;
      return Promise.reject(new FailedAttempt('broken', 'no'));
    };
    await outcome(traffic().fetch('query', attempt));
    expect(given).toEqual([1_000, 700]);
  });

  test('is not made when the budget is spent', async () => {
    const subgraph = traffic({ breakerPercent: 100, retries: 10 });
    const attempt = failing('broken');
    for (let request = 0; request < 100; request++) await outcome(subgraph.fetch('query', attempt));
    // 100 first attempts, the 20 of the floor, and 20 for each hundred.
    expect(attempt).toHaveBeenCalledTimes(140);
  });
});

describe('the circuit', () => {
  const failTimes = async (subgraph: SubgraphTraffic, times: number): Promise<void> => {
    for (let at = 0; at < times; at++) await outcome(subgraph.fetch('query', failing('timeout')));
  };

  test('opens when most attempts fail, and then nothing is attempted', async () => {
    const subgraph = traffic();
    await failTimes(subgraph, 20);
    expect(told).toEqual(['open']);
    const attempt = jest.fn(ok);
    expect(await outcome(subgraph.fetch('query', attempt))).toBe('circuit-open');
    expect(attempt).not.toHaveBeenCalled();
  });

  test('stays closed while less than half fails', async () => {
    const subgraph = traffic();
    for (let at = 0; at < 30; at++) {
      await subgraph.fetch('query', ok);
      await subgraph.fetch('query', ok);
      await failTimes(subgraph, 1);
    }
    expect(told).toEqual([]);
  });

  test('closes when one attempt succeeds after a while; others are refused meanwhile', async () => {
    const subgraph = traffic();
    await failTimes(subgraph, 20);
    jest.setSystemTime(2_001);
    const { promise, resolve } = Promise.withResolvers<string>();
    const probe = subgraph.fetch('query', () => promise);
    expect(await outcome(subgraph.fetch('query', ok))).toBe('circuit-open');
    resolve('answer');
    await probe;
    expect(told).toEqual(['open', 'closed']);
    await expect(subgraph.fetch('query', ok)).resolves.toBe('answer');
  });

  test('opens again when that attempt fails', async () => {
    const subgraph = traffic();
    await failTimes(subgraph, 20);
    jest.setSystemTime(2_001);
    await failTimes(subgraph, 1);
    expect(await outcome(subgraph.fetch('query', ok))).toBe('circuit-open');
  });

  test('does not count what is not the fault of the subgraph', async () => {
    const subgraph = traffic();
    for (let at = 0; at < 40; at++) await outcome(subgraph.fetch('query', () => Promise.reject(new Error('gone'))));
    expect(told).toEqual([]);
  });

  test('never opens at 100 percent', async () => {
    const subgraph = traffic({ breakerPercent: 100 });
    await failTimes(subgraph, 50);
    await expect(subgraph.fetch('query', ok)).resolves.toBe('answer');
  });
});

describe('the bulkhead', () => {
  test('lets so many through, makes so many wait and refuses the others at once', async () => {
    const subgraph = traffic();
    const ends = Array.from({ length: 3 }, () => Promise.withResolvers<string>());
    const fetches = ends.map(({ promise }) => subgraph.fetch('query', () => promise));
    expect(subgraph.load()).toEqual({ running: 2, waiting: 1 });
    expect(await outcome(subgraph.fetch('query', ok))).toBe('queue-full');
    for (const { resolve } of ends) resolve('answer');
    expect(await Promise.all(fetches)).toEqual(['answer', 'answer', 'answer']);
    expect(subgraph.load()).toEqual({ running: 0, waiting: 0 });
  });

  test('attempts nothing whose time is over when its turn comes', async () => {
    const subgraph = traffic({ concurrency: 1, queue: 1 });
    const { promise, resolve } = Promise.withResolvers<string>();
    const running = subgraph.fetch('query', () => promise);
    const attempt = jest.fn(ok);
    const waiting = outcome(subgraph.fetch('query', attempt));
    time += 1_000;
    resolve('answer');
    await running;
    expect(await waiting).toBe('timeout');
    expect(attempt).not.toHaveBeenCalled();
  });

  test('a full queue says nothing about the subgraph', async () => {
    const subgraph = traffic({ concurrency: 1, queue: 0 });
    const { promise, resolve } = Promise.withResolvers<string>();
    const running = subgraph.fetch('query', () => promise);
    for (let at = 0; at < 50; at++) expect(await outcome(subgraph.fetch('query', ok))).toBe('queue-full');
    resolve('answer');
    await running;
    expect(told).toEqual([]);
  });
});

test.each([
  ['3', 3_000],
  [' 0 ', 0],
  ['Wed, 25 Nov 2026 12:00:05 GMT', 5_000],
  ['Wed, 25 Nov 2026 11:00:00 GMT', 0],
  ['-1', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After: %p', (value, milliseconds) => {
  expect(parseRetryAfter(value, Date.parse('2026-11-25T12:00:00Z'))).toBe(milliseconds);
});
