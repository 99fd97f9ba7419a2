// How many retries a subgraph in trouble can cause at most.
import { expect, test } from '@jest/globals';
import { createRetryBudget, minRetriesPerSecond } from './retry-budget.ts';

const floorAtStart = minRetriesPerSecond * 10;

function spend(budget: ReturnType<typeof createRetryBudget>): number {
  let taken = 0;
  while (budget.withdraw()) taken += 1;
  return taken;
}

test('retries are a share of the requests, and a small floor', () => {
  const budget = createRetryBudget(20, () => 0);
  expect(spend(budget)).toBe(floorAtStart);
  for (let request = 0; request < 1_000; request++) budget.deposit();
  expect(spend(budget)).toBe(200);
});

test('when every request fails, retries add no more than their share', () => {
  let time = 0;
  const budget = createRetryBudget(10, () => time);
  let retries = 0;
  const seconds = 60;
  for (let request = 0; request < 1_000 * seconds; request++) {
    time += 1;
    budget.deposit();
    if (budget.withdraw()) retries += 1;
  }
  expect(retries).toBeLessThanOrEqual(100 * seconds + minRetriesPerSecond * seconds + floorAtStart);
  expect(retries).toBeGreaterThan(99 * seconds);
});

test('the floor fills again with time, and no further than it was', () => {
  let time = 0;
  const budget = createRetryBudget(20, () => time);
  spend(budget);
  time += 1_500;
  expect(spend(budget)).toBe(3);
  time += 3_600_000;
  expect(spend(budget)).toBe(floorAtStart);
});

test('what busy times saved is bounded', () => {
  const budget = createRetryBudget(100, () => 0);
  for (let request = 0; request < 100_000; request++) budget.deposit();
  expect(spend(budget)).toBe(500 + floorAtStart);
});

test('zero percent is no retry at all', () => {
  const budget = createRetryBudget(0, () => 0);
  budget.deposit();
  expect(budget.withdraw()).toBe(false);
});
