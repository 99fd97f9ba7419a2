// Ids in subjects: whatever comes from outside, two ids never meet and none escapes its token.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { subjectToken } from './subject.ts';

/** Any text that can be written in UTF-8; `nasty` ones use little else than what is special in a subject. */
const nasty = fc.string({
  unit: fc.constantFrom('.', '*', '>', ' ', '=', '\t', '\r', '\n', '\0', 'A', '2', 'E', '가'),
});
const anyId = fc.oneof(nasty, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.uuid());

test('a token is never empty, and of letters, digits and `_-=` alone', () => {
  fc.assert(
    fc.property(anyId, (id) => expect(subjectToken(id)).toMatch(/^[A-Za-z0-9_=-]+$/)),
    { numRuns: 1_000 },
  );
});

test('two ids never share a token: it can be read back', () => {
  fc.assert(
    fc.property(anyId, (id) => expect(readBack(subjectToken(id))).toBe(id)),
    { numRuns: 1_000 },
  );
});

test('a UUID stays as it is', () => {
  fc.assert(fc.property(fc.uuid(), (id) => expect(subjectToken(id)).toBe(id)));
});

test.each([
  ['', '='],
  ['a.b', 'a=2Eb'],
  ['*', '=2A'],
  ['>', '=3E'],
  ['=2A', '=3D2A'],
  ['김', '=EA=B9=80'],
  ['🍜', '=F0=9F=8D=9C'],
])('"%s" becomes "%s"', (id, token) => expect(subjectToken(id)).toBe(token));

const readBack = (token: string): string => (token === '=' ? '' : decodeURIComponent(token.replaceAll('=', '%')));
