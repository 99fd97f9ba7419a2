// Variables that need no coercion are taken as they are; what comes of it must be what graphql-js says.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { getVariableValues } from 'graphql';
import { makeGraph } from './executor/testing/graph.ts';
import { coerceVariables } from './variables.ts';

const graph = makeGraph([
  {
    name: 'a',
    sdl: `type Query { f(s: String, i: ID, b: Boolean, n: Int, x: Float, l: [Int!], e: Side, o: In, r: Filter, j: Json): Int }
      enum Side { LEFT RIGHT } input In { n: Int! } input Filter { not: Filter, all: [Filter!] } scalar Json`,
  },
]);
const operations = [
  'query ($s: String, $i: ID!, $b: Boolean = true, $n: Int!, $x: Float) { f(s: $s, i: $i, b: $b, n: $n, x: $x) }',
  'query ($n: Int = 3, $x: Float!) { f(n: $n, x: $x) }',
  'query ($n: Int, $l: [Int!], $e: Side, $o: In) { f(n: $n, l: $l, e: $e, o: $o) }',
].map((text) => graph.compile(text));

const value = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, undefined, -0, 2 ** 31, -(2 ** 31), 1.5, '7', 'LEFT', [1], { n: 1 }),
);
const given = fc.dictionary(fc.constantFrom('s', 'i', 'b', 'n', 'x', 'l', 'e', 'o', '__proto__'), value);

const noLimits = { depth: Infinity, values: Infinity };

test('coercion gives what graphql-js gives, for values that fit and for those that do not', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...operations), given, (operation, variables) => {
      const ours = coerceVariables(operation, variables, noLimits);
      const definitions = operation.operation.variableDefinitions ?? [];
      const theirs = getVariableValues(graph.supergraph.schema, definitions, variables);
      if (ours.ok) {
        taken++;
        expect(ours.values).toEqual({ ...theirs.coerced });
        expect(Object.keys(ours.values)).toEqual(Object.keys(theirs.coerced ?? {}));
      } else {
        expect(ours.errors.map(({ message }) => message)).toEqual(theirs.errors?.map(({ message }) => message));
        expect(ours.errors.every(({ extensions }) => extensions['code'] === 'BAD_USER_INPUT')).toBe(true);
      }
    }),
    { numRuns: 3_000, seed: 1 },
  );
  expect(taken).toBeGreaterThan(300);
});

describe('variables nested deep', () => {
  const levels5 = { depth: 5, values: Infinity };
  const nested = (levels: number, around: (inner: unknown) => unknown): unknown => {
    let value: unknown = null;
    for (let level = 0; level < levels; level++) value = around(value);
    return value;
  };
  const not = (inner: unknown): unknown => ({ not: inner });
  const list = (inner: unknown): unknown => [inner];
  const filter = graph.compile('query ($r: Filter) { f(r: $r) }');
  const json = graph.compile('query ($s: String, $j: Json) { f(s: $s, j: $j) }');

  test.each([
    ['an input object', filter, 'r', not],
    ['a scalar that takes everything', json, 'j', list],
  ] as const)('%s may have as many levels as are allowed, and not one more', (_name, operation, variable, around) => {
    const within = nested(5, around);
    expect(coerceVariables(operation, { [variable]: within }, levels5)).toEqual({
      ok: true,
      values: { [variable]: within },
    });
    for (const levels of [6, 100_000]) {
      const refused = coerceVariables(operation, { [variable]: nested(levels, around) }, levels5);
      expect(refused).toMatchObject({
        ok: false,
        errors: [
          {
            message: `Variable "$${variable}" is nested deeper than the 5 levels that are allowed.`,
            extensions: { code: 'BAD_USER_INPUT', allowed: 5 },
          },
        ],
      });
      expect(!refused.ok && refused.errors[0]?.locations).toHaveLength(1);
    }
  });

  test('do not matter when the operation has no such variable', () => {
    expect(coerceVariables(filter, { other: nested(100_000, list) }, levels5)).toEqual({ ok: true, values: {} });
  });
});

describe('variables that hold many values', () => {
  const filter = graph.compile('query ($r: Filter, $l: [Int!]) { f(r: $r, l: $l) }');
  const values10 = { depth: Infinity, values: 10 };
  const variables = (numbers: number): Readonly<Record<string, unknown>> => ({
    r: { all: [{ not: {} }] },
    l: Array.from({ length: numbers }, () => 1),
  });

  test('may hold as many as are allowed, all together, and not one more', () => {
    expect(coerceVariables(filter, variables(5), values10)).toEqual({ ok: true, values: variables(5) });
    for (const numbers of [6, 100_000]) {
      expect(coerceVariables(filter, variables(numbers), values10)).toMatchObject({
        ok: false,
        errors: [
          {
            message: 'The variables hold more values than the 10 that are allowed.',
            extensions: { code: 'BAD_USER_INPUT', allowed: 10 },
          },
        ],
      });
    }
  });

  test.each([
    ['30 values', 30, '', 20],
    ['15,000 values', 15_000, '', 1],
    ['a long string', 30, 'x'.repeat(800_000), 1],
  ])('have fewer of their errors told, the heavier they are: %s', (_name, numbers, text, told) => {
    const wrong = { r: { not: text, ...Object.fromEntries(Array.from({ length: numbers }, (_, n) => [`n${n}`, n])) } };
    const refused = coerceVariables(filter, wrong, noLimits);
    // And one that says that there are more.
    expect(!refused.ok && refused.errors).toHaveLength(told + 1);
  });
});
