// Arguments from outside: which field an error names, what an id and a text may be, and how a time is written.
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { DateTime, idInput, parseInput, textInput } from './input.ts';

const id = '0190a000-0000-7000-8000-00000000000a';

describe('parseInput', () => {
  const schema = z.object({ items: z.array(z.object({ quantity: z.int().max(99, 'must be up to 99') })) });

  test('gives the value', () => {
    expect(parseInput(schema, { items: [{ quantity: 1 }] }, 'input')).toEqual({ items: [{ quantity: 1 }] });
  });

  test('names the argument at fault, down to the line', () => {
    const parse = () => parseInput(schema, { items: [{ quantity: 1 }, { quantity: 100 }] }, 'input');
    expect(parse).toThrow('input.items.1.quantity: must be up to 99');
    expect(parse).toThrow(
      expect.objectContaining({
        extensions: { code: 'BAD_USER_INPUT', argument: 'input.items.1.quantity' },
      }),
    );
  });
});

describe('an id', () => {
  test('is a UUID, in lower case from here on', () => {
    expect(parseInput(idInput, id.toUpperCase(), 'id')).toBe(id);
  });

  const others = ['', '1', 'id', `${id} `, id.slice(1), `${id}0`, `'; drop table customer_order; --`, null, 5, { id }];
  test.each(others)('is not %j', (value) => {
    expect(() => parseInput(idInput, value, 'id')).toThrow('id: must be an id of this graph (a UUID)');
  });
});

describe('a text', () => {
  test('has a least and a greatest length', () => {
    const schema = textInput(1, 3);
    expect(parseInput(schema, '김밥', 'name')).toBe('김밥');
    for (const value of ['', '김밥김밥']) {
      expect(() => parseInput(schema, value, 'name')).toThrow('name: must be 1 to 3 characters');
    }
    expect(() => parseInput(textInput(0, 3), 'four', 'name')).toThrow('name: must be up to 3 characters');
  });

  test('holds no NUL, which PostgreSQL cannot store', () => {
    expect(() => parseInput(textInput(0, 3), 'a\0b', 'name')).toThrow('name: must not contain the character U+0000');
  });
});

describe('DateTime', () => {
  test('is written in UTC with milliseconds', () => {
    expect(DateTime.serialize(new Date('2026-01-31T18:30:00+09:00'))).toBe('2026-01-31T09:30:00.000Z');
    expect(DateTime.serialize('2026-01-31T18:30:00+09:00')).toBe('2026-01-31T09:30:00.000Z');
  });

  test.each([1_769_851_800_000, undefined, true, 'yesterday'])('is not made of %p', (value) => {
    expect(() => DateTime.serialize(value)).toThrow();
  });
});
