// The schedule of faults: the same for the same seed, and every kind meets every part.
import { expect, test } from '@jest/globals';
import { createRandom } from './random.ts';
import { describeFault, faultKinds, planFaults } from './schedule.ts';

const options = { durationMs: 600_000, everyMs: 5_000, longestMs: 12_000 };

test('a seed makes one schedule, another seed another', () => {
  expect(planFaults(createRandom(1), options)).toEqual(planFaults(createRandom(1), options));
  expect(planFaults(createRandom(1), options)).not.toEqual(planFaults(createRandom(2), options));
});

test('a long schedule has every kind of fault, in order of time, inside its duration', () => {
  const faults = planFaults(createRandom(1), options);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(faultKinds));
  expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).toSorted((one, other) => one - other));
  expect(faults.every(({ atMs, durationMs }) => atMs < 600_000 && durationMs <= 12_000)).toBe(true);
});

test('faults can be chosen by pattern, and some can come first', () => {
  const killed = planFaults(createRandom(1), { ...options, only: /^kill/ });
  expect(new Set(killed.map(({ kind }) => kind))).toEqual(new Set(['kill']));
  const [first, second] = planFaults(createRandom(1), { ...options, first: ['wipe nats', 'kill order'] });
  expect([first?.kind, second?.kind, second?.target]).toEqual(['wipe', 'kill', 'order']);
});

test('a fault reads as a sentence', () => {
  const fault = { atMs: 1, kind: 'delay', target: 'order to nats', durationMs: 1_500, delayMs: 20 } as const;
  expect(describeFault(fault)).toBe('delay order to nats by 20 ms for 1.5 s');
});
