// Which headers may be named, and when two requests have the same.
import { expect, test } from '@jest/globals';
import { createForwardHeaders, forwardableNames } from './forwarded-headers.ts';

test('names count once, in any letter case', () => {
  expect(forwardableNames(['Accept-Language', 'X-Tenant', 'x-tenant', 'cookie', 'x_y'])).toEqual([
    'accept-language',
    'x-tenant',
    'cookie',
    'x_y',
  ]);
});

test.each([
  ...['Connection', 'proxy-authorization', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['sec-websocket-protocol', 'host', 'expect', 'content-length', 'Content-Type', 'accept', 'accept-encoding'],
  ...['authorization', 'traceparent', 'tracestate'],
])('%s cannot go on', (name) => {
  expect(() => forwardableNames(['x-tenant', name])).toThrow(`"${name.toLowerCase()}" is the router's own`);
});

test.each(['*', 'x tenant', 'x:tenant', 'größe', ''])('"%s" is no name', (name) => {
  expect(() => forwardableNames([name])).toThrow('is no name of a header');
});

test('what was not sent is not there, and what was sent twice goes on as one', () => {
  const pick = createForwardHeaders(['a', 'b']);
  expect(pick({ b: ['1', '2'], c: 'x' })?.pairs).toEqual(['b', '1, 2']);
  expect(pick({ c: 'x' })).toBeUndefined();
  expect(createForwardHeaders(['constructor', '__proto__'])({ a: '1' })).toBeUndefined();
  expect(createForwardHeaders([])({ a: '1' })).toBeUndefined();
});

test('keys are equal for equal headers only', () => {
  const pick = createForwardHeaders(['a', 'b']);
  const key = (headers: Record<string, string>): string | undefined => pick(headers)?.key;
  expect(key({ b: '2', a: '1', c: '3' })).toBe(key({ a: '1', b: '2' }));
  const different = [{ a: '1' }, { b: '1' }, { a: '1', b: '' }, { a: '1","b' }, { a: '1', b: '2' }, { a: '1, 2' }];
  expect(new Set(different.map(key)).size).toBe(different.length);
});
