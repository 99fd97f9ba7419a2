// What a cursor is good for, and that its key can be replaced without one lost.
import { expect, test } from '@jest/globals';
import { createCursorCodec } from './cursor.ts';

const scope = { stream: 'THINGS', subject: 'thing.changed.alice.a', viewer: 'alice' };
const position = { identity: 'made once', sequence: 7 };
const invalid = expect.objectContaining({ code: 'CURSOR_INVALID' });

test('a cursor gives its place back, and knows the stream that it counts in', () => {
  const codec = createCursorCodec(['secret']);
  const read = codec.read(codec.mint(scope, position), scope);
  expect(read.sequence).toBe(7);
  expect([read.countsIn('made once'), read.countsIn('made anew')]).toEqual([true, false]);
});

test.each([
  ['another viewer', { ...scope, viewer: 'bob' }],
  ['nobody', { ...scope, viewer: undefined }],
  ['another subject', { ...scope, subject: 'thing.changed.alice.b' }],
  ['another stream', { ...scope, stream: 'OTHERS' }],
])('a cursor is no good for %s', (_, other) => {
  const codec = createCursorCodec(['secret']);
  const cursor = codec.mint(scope, position);
  expect(() => codec.read(cursor, other)).toThrow(invalid);
});

test('a new key signs while cursors of the old one are still taken, until it is left out', () => {
  const before = createCursorCodec(['old']).mint(scope, position);
  const rotating = createCursorCodec(['new', 'old']);
  expect(rotating.read(before, scope).sequence).toBe(7);
  const after = createCursorCodec(['new']);
  expect(after.read(rotating.mint(scope, position), scope).sequence).toBe(7);
  expect(() => after.read(before, scope)).toThrow(invalid);
});
