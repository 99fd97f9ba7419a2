// Brackets and lines are counted as the parser meets them: not in strings, not in comments.
import { describe, expect, test } from '@jest/globals';
import { measureText } from './document-text.ts';

describe('the text of a document', () => {
  test.each([
    ['{ a }', 1],
    ['{ a { b } c { d(x: [{ y: 1 }]) } }', 5],
    ['query ($a: [[Int]]) { a }', 3],
    ['{ a(s: "{[(\\"{{{") }', 2],
    ['{ a(s: """{[("""") }', 2],
    ['{ a(s: """ \\""" {{{ """) { b } }', 2],
    ['{ a # {{{\n}', 1],
    ['# {{{\r{ a { b } }', 2],
    ['{ a(s: "not closed {{\n) { b { c } } }', 3],
    ['{ a(s: """not closed {{', 2],
    ['{'.repeat(100_000), 100_000],
    ['', 0],
  ])('has so many levels of brackets: %#', (text, nesting) => {
    expect(measureText(text).nesting).toBe(nesting);
  });

  test.each([
    ['', 1],
    ['{ a }', 1],
    ['{\n a\r\n b\r c }\n', 5],
    ['# one\n# two\r\n{ a }', 3],
    ['{ a(s: """\n\n\\"""\n""") }', 4],
    ['{ a(s: "not closed\n) }', 2],
  ])('has so many lines: %#', (text, lines) => {
    expect(measureText(text).lines).toBe(lines);
  });
});
