// Which fields of one name can be merged: our rule against graphql-js's, on known cases and on thousands of random documents.
import { describe, expect, test } from '@jest/globals';
import { buildSchema, OverlappingFieldsCanBeMergedRule, parse, specifiedRules, validate } from 'graphql';
import { createRandom } from './executor/testing/random.ts';
import type { Random } from './executor/testing/random.ts';
import { mergeableFieldsRule } from './mergeable-fields.ts';

const schema = buildSchema(`
  type Query implements Node { node(x: In, s: String): Node either: Either one: One id: ID! n: Int }
  interface Node { node(x: In, s: String): Node id: ID! n: Int }
  type One implements Node { node(x: In, s: String): Node id: ID! n: Int own: [Int!] nested: [[Two]] same: One }
  type Two implements Node { node(x: In, s: String): Node id: ID! n: Int own: [Int] nested: [[One!]] same: Two }
  union Either = One | Two
  input In { a: Int b: [Int] in: In }
`);
const otherRules = specifiedRules.filter((rule) => rule !== OverlappingFieldsCanBeMergedRule);

/** Whether a document has a conflict, by both rules; undefined when it is not valid otherwise. */
function verdicts(text: string): { readonly ours: boolean; readonly theirs: boolean } | undefined {
  const document = parse(text);
  if (validate(schema, document, otherRules).length > 0) return undefined;
  const ours = validate(schema, document, [mergeableFieldsRule]);
  const theirs = validate(schema, document, [OverlappingFieldsCanBeMergedRule]);
  return { ours: ours.length > 0, theirs: theirs.length > 0 };
}

describe('fields of one name', () => {
  test.each([
    ['{ id id x: n x: n }', false],
    ['{ x: id x: n }', true],
    ['{ node(s: "a") { id } node(s: "a") { n } }', false],
    ['{ node(s: "a") { id } node(s: "b") { id } }', true],
    ['{ node { id } node(s: null) { id } }', true],
    ['{ node(x: {a: 1, b: [1, 2]}, s: "a") { id } node(s: "a", x: {b: [1, 2], a: 1}) { id } }', false],
    ['{ node(x: {b: [1, 2]}) { id } node(x: {b: [2, 1]}) { id } }', true],
    ['{ node(x: {b: [1]}) { id } node(x: {b: 1}) { id } }', true],
    ['query ($v: In, $w: In) { node(x: $v) { id } node(x: $w) { id } }', true],
    ['query ($v: In) { node(x: $v) { id } node(x: $v) { id } }', false],
    ['{ node { ... on One { x: id } ... on Two { x: id } } }', false],
    ['{ node { ... on One { x: n } ... on Two { x: id } } }', true],
    ['{ node { ... on One { node(s: "a") { id } } ... on Two { node(s: "b") { id } } } }', false],
    ['{ node { node(s: "a") { id } ... on Two { node(s: "b") { id } } } }', true],
    ['{ node { ... on One { own } ... on Two { own } } }', true],
    ['{ node { ... on One { nested { id } } ... on Two { nested { id } } } }', true],
    ['{ node { ... on One { same { x: id } } ... on Two { same { x: n } } } }', true],
    [
      '{ node { ... on One { same { x: node(s: "a") { id } } } ... on Two { same { x: node(s: "b") { id } } } } }',
      false,
    ],
    [
      '{ ...A ...B } fragment A on Query { node { ...C } } fragment B on Query { node { x: id } } fragment C on Node { x: n }',
      true,
    ],
    ['{ a: node { ...A } b: node { ...A } } fragment A on Node { node { x: id } node { x: n } }', true],
    ['{ node { ... on One { n: __typename } ... on Two { n } } }', false],
    ['query A { id } query B { x: id x: n }', true],
  ])('%s', (text, conflict) => {
    expect(verdicts(text)).toEqual({ ours: conflict, theirs: conflict });
  });

  test('that conflict are told with both places', () => {
    const [error, ...others] = validate(schema, parse('{\n  x: id\n  x: n\n}'), [mergeableFieldsRule]);
    expect(others).toEqual([]);
    expect(error?.message).toBe(
      'Fields "x" conflict because "id" and "n" are different fields. Use different aliases on the fields to fetch both if this was intentional.',
    );
    expect(error?.locations).toEqual([
      { line: 2, column: 3 },
      { line: 3, column: 3 },
    ]);
  });

  test('are compared however many they are, where graphql-js gives up', () => {
    const document = parse(`{ node { ${'node(s: "a") { id } '.repeat(2_000)} } }`);
    expect(validate(schema, document, [OverlappingFieldsCanBeMergedRule])).toMatchObject([
      { message: 'Validation aborted.' },
    ]);
    expect(validate(schema, document, [mergeableFieldsRule])).toEqual([]);
  });
});

test('the verdict on random documents is that of graphql-js', () => {
  const random = createRandom(20_261_125);
  const seen = { conflict: 0, none: 0 };
  for (let at = 0; at < 2_000; at++) {
    const text = randomDocument(random);
    const both = verdicts(text);
    if (both === undefined) continue;
    if (both.ours !== both.theirs) throw new Error(`ours says ${String(both.ours)} of ${text}`);
    seen[both.theirs ? 'conflict' : 'none']++;
  }
  expect(seen.conflict).toBeGreaterThan(300);
  expect(seen.none).toBeGreaterThan(300);
});

const conditions = ['Node', 'One', 'Two', 'Either'];
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  Query: ['id', 'n', 'node', 'either', '__typename'],
  Node: ['id', 'n', 'node', '__typename'],
  One: ['id', 'n', 'node', 'own', 'nested', 'same', '__typename'],
  Two: ['id', 'n', 'node', 'own', 'nested', 'same', '__typename'],
  Either: ['__typename'],
};
const resultOf = (type: string, field: string): string | undefined =>
  ({ node: 'Node', either: 'Either', same: type, nested: type === 'One' ? 'Two' : 'One' })[field];

/** Few names and arguments, so that many meet. */
function randomDocument(random: Random): string {
  const selections = (type: string, depth: number, fragmentsFrom: number): string =>
    `{ ${Array.from({ length: 1 + random.below(3) }, () => selection(type, depth, fragmentsFrom)).join(' ')} }`;
  const selection = (type: string, depth: number, fragmentsFrom: number): string => {
    if (type !== 'Query' && depth > 0 && random.chance(0.35)) {
      // A fragment spreads later ones only, so that none is in a ring.
      if (fragmentsFrom < 4 && random.chance(0.3))
        return `...F${String(fragmentsFrom + random.below(4 - fragmentsFrom))}`;
      const condition = random.pick(type === 'One' || type === 'Two' ? [type, 'Node'] : conditions);
      return `... on ${condition} ${selections(condition, depth - 1, fragmentsFrom)}`;
    }
    const field = random.pick(fieldsOf[type] ?? []);
    const result = resultOf(type, field);
    if (result !== undefined && depth === 0) return '__typename';
    const alias = random.chance(0.1) ? `${random.pick(['id', 'n', 'x'])}: ` : '';
    const given = field === 'node' && random.chance(0.1) ? random.pick(['(s: "a")', '(x: {a: 1})']) : '';
    return `${alias}${field}${given} ${result === undefined ? '' : selections(result, depth - 1, fragmentsFrom)}`;
  };
  const fragments = [0, 1, 2, 3].map((n) => {
    const on = random.pick(conditions);
    return `fragment F${String(n)} on ${on} ${selections(on, 2, n + 1)}`;
  });
  const root = `{ node ${selections('Node', 3, 0)} ${selections('Query', 3, 4).slice(1)}`;
  const spread = new Set<string>();
  const follow = (text: string): void => {
    for (const [, n] of text.matchAll(/\.\.\.F(\d)/g)) {
      if (n === undefined || spread.has(n)) continue;
      spread.add(n);
      follow(fragments[Number(n)] ?? '');
    }
  };
  follow(root);
  return [root, ...fragments.filter((_, n) => spread.has(String(n)))].join(' ');
}
