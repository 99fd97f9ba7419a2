// What is read from the evidence of an outage.
import { expect, test } from '@jest/globals';
import type { OrderStatus } from '../../schema/events.ts';
import { measureOutage } from './outage.ts';
import type { Evidence } from './checker.ts';

const startedAt = Date.parse('2026-01-01T00:00:00.000Z');
const outage = { service: 'payment', fromMs: 100_000, toMs: 200_000 } as const;

const order = (...timeline: readonly (readonly [OrderStatus, number])[]) => ({
  timeline: timeline.map(([status, second], index) => ({
    ...{ status, version: index + 1, reason: null, at: new Date(startedAt + second * 1_000).toISOString() },
  })),
});
const measure = (orders: readonly unknown[], answers: readonly (readonly [number, number | undefined])[] = []) =>
  measureOutage(
    {
      snapshot: { orders },
      customers: answers.map(([second, answeredAfterMs]) => ({ askedAt: startedAt + second * 1_000, answeredAfterMs })),
    } as unknown as Evidence,
    outage,
    startedAt,
  );

test('the backlog is who waits when the service comes back, a cancel or not, and drains with the last of them', () => {
  const figures = measure([
    order(['ORDERED', 90], ['PAID', 91]),
    order(['ORDERED', 150], ['PAID', 205]),
    order(['ORDERED', 151], ['CANCELLING', 160], ['CANCELLED', 210]),
    order(['ORDERED', 199], ['REJECTED', 203]),
    order(['ORDERED', 201], ['PAID', 299]),
  ]);
  expect(figures).toMatchObject({ backlog: 3, drainedAfterMs: 10_000 });
});

test('the times of answers are told apart by when they were asked for; one without an answer counts as endless', () => {
  const answers = [30, 50, 110, 190, 210].map((second) => [second, second] as const);
  expect(measure([], answers)).toMatchObject({ p99BeforeMs: 50, p99DuringMs: 190, p99AfterMs: 210 });
  expect(measure([], [...answers, [120, undefined]])).toMatchObject({ p99DuringMs: Infinity });
});
