// The delivery's rules: the whole status × event matrix.
import { expect, test } from '@jest/globals';
import { cancelledBeforePaid, decide, newDelivery } from './delivery.ts';

const started = newDelivery();
const completed = { status: 'COMPLETED', version: 2 } as const;
const cancelled = { status: 'CANCELLED', version: 2 } as const;

test('a started delivery can be completed or cancelled', () => {
  expect(decide(started, 'completed')).toEqual({ outcome: 'applied', delivery: completed });
  expect(decide(started, 'cancelRequested')).toEqual({ outcome: 'applied', delivery: cancelled });
});

test('both ends are final, and asking for the same end again changes nothing', () => {
  expect(decide(completed, 'completed')).toEqual({ outcome: 'alreadyApplied' });
  expect(decide(cancelled, 'cancelRequested')).toEqual({ outcome: 'alreadyApplied' });
  expect(decide(completed, 'cancelRequested')).toEqual({ outcome: 'rejected', reason: 'The food was delivered.' });
  expect(decide(cancelled, 'completed')).toEqual({ outcome: 'rejected', reason: 'The delivery was cancelled.' });
});

test('the marker of an early cancel bars the start and the completion', () => {
  expect(decide(cancelledBeforePaid(), 'completed').outcome).toBe('rejected');
});
