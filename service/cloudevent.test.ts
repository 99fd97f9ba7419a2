// The envelope: what is written can be read back, one example of each type holds, and what does not fit is named.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { z } from 'zod';
import { fixtureTypes, readFixture } from '../dev/contracts.ts';
import { events } from '../schema/events.ts';
import type { EventType } from '../schema/events.ts';
import { cloudEventHeaders, readCloudEvent } from './cloudevent.ts';

const types = Object.keys(events) as EventType[];
const read = (headers: Readonly<Record<string, string>>, payload: string) =>
  readCloudEvent((name) => headers[name], payload);

test('each type has one example, and nothing else has', () => {
  expect(fixtureTypes().sort()).toEqual([...types].sort());
});

describe.each(types)('%s', (type) => {
  const { subject, headers, payload } = readFixture(type);

  test('the example is accepted, with its subject, and every field of the type is in it', () => {
    const event = read(headers, JSON.stringify(payload));
    expect(event).toMatchObject({ type, data: payload, id: headers['ce-id'], aggregateId: headers['ce-subject'] });
    expect((events[type].subject as (data: unknown) => string)(payload)).toBe(subject);
    expect(Object.keys(payload).sort()).toEqual(Object.keys((events[type].data as z.ZodObject).shape).sort());
  });

  test('the example’s envelope is the one that is written', () => {
    const { id, source, time, aggregateId, version } = read(headers, JSON.stringify(payload));
    const meta = { id, source, time, aggregateId, version };
    expect(cloudEventHeaders(type, { ...meta, traceparent: undefined })).toEqual(headers);
    expect(cloudEventHeaders(type, { ...meta, traceparent: '00-1-2-01' })).toEqual({
      ...headers,
      traceparent: '00-1-2-01',
    });
  });

  test('a field that a later version adds is passed over', () => {
    expect(read(headers, JSON.stringify({ ...payload, newField: 1 })).data).toEqual(payload);
  });

  test.each(Object.keys(payload))('is refused without %s, which is named', (field) => {
    const { [field]: _left, ...rest } = payload as Record<string, unknown>;
    const attempt = () => read(headers, JSON.stringify(rest));
    expect(attempt).toThrow(expect.objectContaining({ code: 'MESSAGE_INVALID' }));
    expect(attempt).toThrow(`Payload of ${type}`);
    expect(attempt).toThrow(field);
  });

  const envelope = Object.keys(headers).filter((name) => name !== 'content-type');
  test.each(envelope)('is refused without the header %s, which is named', (name) => {
    const { [name]: _left, ...rest } = headers;
    const attempt = () => read(rest, JSON.stringify(payload));
    expect(attempt).toThrow(expect.objectContaining({ code: 'MESSAGE_INVALID' }));
    expect(attempt).toThrow(name);
  });
});

test('whatever is written is read back the same', () => {
  const meta = fc.record({
    id: fc.uuid(),
    source: fc.constantFrom('order', 'payment', 'delivery'),
    time: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    aggregateId: fc.uuid(),
    version: fc.nat(),
    traceparent: fc.option(fc.constant('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...types), meta, (type, given) => {
      const { payload } = readFixture(type);
      expect(read(cloudEventHeaders(type, given), JSON.stringify(payload))).toEqual({ ...given, type, data: payload });
    }),
  );
});

test.each(['', '{', 'undefined', '[]', '"text"', 'null', '1'])('the payload %j is refused', (payload) => {
  expect(() => read(readFixture('order.placed').headers, payload)).toThrow(
    expect.objectContaining({ code: 'MESSAGE_INVALID' }),
  );
});

test.each([
  ['ce-specversion', '0.3'],
  ['ce-type', 'order.eaten'],
  ['ce-aggregateversion', '-1'],
  ['ce-aggregateversion', 'two'],
  ['ce-id', 'x'.repeat(101)],
])('the header %s: %s is refused', (name, value) => {
  const { headers, payload } = readFixture('order.placed');
  expect(() => read({ ...headers, [name]: value }, JSON.stringify(payload))).toThrow(name);
});

test('a payload with U+0000 in a text is refused, one with a backslash before such letters is not', () => {
  const { headers, payload } = readFixture('order.placed');
  const withAddress = (deliveryAddress: string): string => JSON.stringify({ ...payload, deliveryAddress });
  expect(() => read(headers, withAddress('a\0b'))).toThrow('U+0000');
  expect(read(headers, withAddress('a\\u0000b')).data).toMatchObject({ deliveryAddress: 'a\\u0000b' });
});
