// The signal of one request: who is told that nobody waits any more, and when.
import { expect, test } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { cancelledWith } from './cancellation.ts';

/** Of a response only its events matter here. */
const response = (): ServerResponse => new EventEmitter() as unknown as ServerResponse;

test('a client that goes ends what it waits for: every listener hears it once, but not the one that was removed', () => {
  const client = response();
  const { signal, release } = cancelledWith(client, 60_000);
  const heard: string[] = [];
  const removed = (): void => void heard.push('removed');
  signal.addEventListener('abort', () => heard.push('one'));
  signal.addEventListener('abort', removed);
  signal.addEventListener('abort', () => heard.push('other'));
  signal.removeEventListener('abort', removed);
  expect([signal.aborted, signal.reason]).toEqual([false, undefined]);
  client.emit('close');
  expect([heard, signal.aborted, signal.reason]).toEqual([['one', 'other'], true, expect.any(Error)]);
  release();
});

test('the time that is over ends it too', async () => {
  const { signal, release } = cancelledWith(response(), 1);
  const told = new EventEmitter();
  const aborted = once(told, 'aborted');
  signal.addEventListener('abort', () => told.emit('aborted'));
  await aborted;
  expect(signal.aborted).toBe(true);
  release();
});

test('an answer that is there is not cancelled by a client that goes afterwards', () => {
  const client = response();
  const { signal, release } = cancelledWith(client, 60_000);
  release();
  client.emit('close');
  expect(signal.aborted).toBe(false);
  expect(client.listenerCount('close')).toBe(0);
});
