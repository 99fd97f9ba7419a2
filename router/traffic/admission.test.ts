// When a request is taken on, and when it is sent away.
import { expect, test } from '@jest/globals';
import { createAdmission } from './admission.ts';

const limits = { maxUnderWay: 2, maxLoopDelayMs: 100 };

test('so many requests are under way and no more, until one leaves', () => {
  const admission = createAdmission(limits);
  expect([admission.enter(), admission.enter(), admission.enter()]).toEqual([undefined, undefined, 'under-way']);
  expect(admission.underWay()).toBe(2);
  admission.leave();
  expect(admission.enter()).toBeUndefined();
});

test('a request that was sent away takes no place', () => {
  const admission = createAdmission(limits);
  for (let at = 0; at < 10; at++) admission.enter();
  admission.leave();
  admission.leave();
  expect(admission.underWay()).toBe(0);
});

test('an event loop that stays late takes nothing on; one long step is forgiven, and so is the past', () => {
  const admission = createAdmission(limits);
  const enter = (): string | undefined => {
    const overload = admission.enter();
    if (overload === undefined) admission.leave();
    return overload;
  };
  for (const delay of [5_000, 1, 101, 101, 101]) admission.sample(delay);
  expect(enter()).toBeUndefined();
  admission.sample(101);
  expect(enter()).toBe('loop-delay');
  admission.sample(100);
  expect(enter()).toBeUndefined();
});
