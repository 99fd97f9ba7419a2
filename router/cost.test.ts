// What operations are estimated to cost, by @cost and @listSize.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { getOperationAST, parse, validate, getVariableValues } from 'graphql';
import { composeSupergraph } from '../schema/compose.ts';
import { createCostLimit } from './cost-limit.ts';
import { estimateCost } from './cost.ts';
import type { Estimate } from './cost.ts';
import { compileOperation } from './executor/operation.ts';
import { unlimited } from './limits.ts';
import type { Exceeded, Limits } from './limits.ts';
import { loadSupergraph } from './supergraph.ts';
import type { Supergraph } from './supergraph.ts';

const sdl = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", { name: "@cost", as: "@price" }, "@listSize"])
  type Query {
    book: Book
    plain: Int
    heavy: Int @price(weight: 5)
    free: Book @price(weight: 0)
    books: [Book]
    grid: [[Book]]
    assumed(first: Int): [Book] @listSize(assumedSize: 7, slicingArguments: ["first"], requireOneSlicingArgument: false)
    sliced(first: Int, last: Int): [Book] @listSize(slicingArguments: ["first", "last"])
    byDefault(first: Int = 20): [Book] @listSize(slicingArguments: ["first"])
    filtered(filter: Filter): [Book] @listSize(assumedSize: 998)
    named(ids: [ID!]!): [Book] @listSize(assumedSize: 999)
    page(first: Int = 20): BookConnection @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])
    search(text: String @price(weight: 3), filter: Filter): Int
    readable: Readable
    readables: [Readable] @listSize(assumedSize: 2)
    thing: Thing
  }
  type Mutation { addAll(books: [BookInput!]!): Book @price(weight: 10) }
  type Subscription { added: Book }
  input Filter { max: Int, title: String @price(weight: 2), and: Filter }
  input BookInput { title: String @price(weight: 4) }
  type BookConnection { edges: [BookEdge] nodes: [Book] total: Int }
  type BookEdge { node: Book }
  interface Readable { title: String, similar: Readable }
  type Book implements Readable @key(fields: "id") { id: ID, title: String, similar: Readable, chapters: [Chapter] @listSize(assumedSize: 3), author: Author }
  type Comic implements Readable { title: String, similar: Readable, panels: [Author] @listSize(assumedSize: 50) }
  type Chapter { name: String, kind: Kind }
  type Author @price(weight: 8) { name: String }
  enum Kind @price(weight: 6) { SHORT LONG }
  union Thing = Book | Author
`;
let supergraph: Supergraph;
beforeAll(() => {
  const { supergraphSdl } = composeSupergraph([{ name: 'a', url: 'http://a', sdl }]);
  // IBM's specification lets slicing arguments be fields of input objects, and lists; Apollo's composition does not.
  supergraph = loadSupergraph(
    supergraphSdl
      .replace('assumedSize: 998', 'slicingArguments: ["filter.max"]')
      .replace('assumedSize: 999', 'slicingArguments: ["ids"]'),
  );
});

const listSize = 10;
function estimate(text: string, given: Readonly<Record<string, unknown>> = {}): Estimate {
  const document = parse(text);
  expect(validate(supergraph.schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('no operation');
  const { coerced, errors } = getVariableValues(supergraph.schema, operation.variableDefinitions ?? [], given);
  expect(errors).toBeUndefined();
  return estimateCost({ supergraph, document, operation }, coerced ?? {}, listSize);
}

describe('the cost of an operation', () => {
  // The operation object itself is one of the type cost.
  test.each<[string, string, number, number]>([
    ['scalars cost nothing', '{ plain __typename }', 1, 0],
    ['an object costs one as a type and one as a field', '{ book { title } }', 2, 1],
    ['@cost on a field is its field cost', '{ heavy }', 1, 5],
    ['@cost may make a field free', '{ free { title } }', 2, 0],
    ['@cost on a type is the type cost of each of its objects', '{ book { author { name } } }', 10, 2],
    ['@cost on an enum counts for each value', '{ book { chapters { kind } } }', 1 + 1 + 3 + 18, 2],
    ['@cost on an argument counts when it is given', '{ search(text: "x") }', 1, 3],
    ['an input object costs one, its fields what they say', '{ search(filter: { title: "x", max: 1 }) }', 1, 3],
    ['input objects inside count too', '{ search(filter: { and: { title: "x" } }) }', 1, 4],
    [
      'each input object of a list counts',
      'mutation { addAll(books: [{ title: "x" }, { title: "y" }]) { id } }',
      2,
      19,
    ],
    ['a list holds what is assumed for all', '{ books { chapters { name } } }', 1 + 10 + 30, 1 + 10],
    ['a list of lists holds that many of each', '{ grid { title } }', 101, 1],
    ['@listSize tells what to assume', '{ assumed { title } }', 8, 1],
    ['a slicing argument tells the size', '{ sliced(first: 4) { chapters { name } } }', 1 + 4 + 12, 1 + 4],
    ['the default of a slicing argument tells it too', '{ byDefault { title } }', 21, 1],
    ['a slicing argument may be a field of an input object', '{ filtered(filter: { max: 6 }) { title } }', 7, 2],
    ['a slicing argument may be a list', '{ named(ids: [1, 2, 3]) { title } }', 4, 1],
    [
      'sized fields are as long as their parent tells',
      '{ page(first: 5) { edges { node { title } } nodes { title } total } }',
      1 + 1 + 5 + 5 + 5,
      1 + 2 + 5,
    ],
    ['a subscription costs one event', 'subscription { added { title } }', 2, 1],
    ['nobody is paid for asking a negative number', '{ sliced(first: -5) { title } }', 1, 1],
    [
      'a field that is asked for twice counts once',
      '{ book { author { name } } book { author { n: name } title } }',
      10,
      2,
    ],
    ['aliases count each', '{ a: book { title } b: book { title } }', 3, 2],
    [
      'the dearest of the types that may stand there counts',
      '{ readable { title ... on Book { author { name } } ... on Comic { panels { name } } } }',
      2 + 400,
      2,
    ],
    ['a condition that always holds is none', '{ book { ... on Readable { similar { title } } } }', 3, 2],
    ['a union costs its dearest member', '{ thing { ... on Author { name } } }', 9, 1],
  ])('%s', (_name, text, typeCost, fieldCost) => {
    expect(estimate(text)).toEqual({ typeCost, fieldCost, errors: [] });
  });

  test('takes variables as they are', () => {
    const text = 'query ($n: Int = 2, $no: Boolean!) { sliced(first: $n) { title chapters @skip(if: $no) { name } } }';
    expect(estimate(text, { no: true }).typeCost).toBe(1 + 2);
    expect(estimate(text, { no: false, n: 3 }).typeCost).toBe(1 + 3 + 9);
  });

  test('knows no number too large', () => {
    const text =
      '{ sliced(first: 2147483647) { similar { ...A } } } fragment A on Readable { ... on Book { chapters { name } } }';
    expect(estimate(text).typeCost).toBeGreaterThan(10_000_000_000);
    const deep = `{ ${'sliced(first: 2147483647) { similar { ... on Comic { panels { '.repeat(1)} name ${'} } } }'.repeat(1)} }`;
    expect(Number.isSafeInteger(estimate(deep).typeCost)).toBe(true);
  });

  test('counts introspection by the size of the schema', () => {
    const types = Object.keys(supergraph.schema.getTypeMap()).length;
    expect(estimate('{ __schema { types { name } } }').typeCost).toBe(2 + types);
  });

  test.each([
    ['{ sliced { title } }', /Query\.sliced must be asked for with exactly one of first, last\./],
    ['{ sliced(first: 1, last: 1) { title } }', /exactly one/],
    ['{ sliced(first: null) { title } }', /exactly one/],
  ])('%s lacks its slicing argument', (text, message) => {
    expect(estimate(text).errors).toMatchObject([
      { message: expect.stringMatching(message), extensions: { code: 'SLICING_ARGUMENT_REQUIRED' } },
    ]);
  });
});

describe('the limit of the cost', () => {
  const operationOf = (text: string) => compileOperation(supergraph, parse(text), undefined);
  const check = (text: string, limits: Partial<Limits>, onExceeded?: (exceeded: Exceeded) => void) =>
    createCostLimit({ limits: { ...unlimited, ...limits }, listSize, ...(onExceeded && { onExceeded }) })(
      operationOf(text),
      {},
    ).errors.map(({ extensions }) => extensions);

  test('refuses one over and lets the limit itself pass', () => {
    const code = 'COST_ESTIMATED_TOO_EXPENSIVE';
    expect(check('{ sliced(first: 9) { title } }', { type_cost: 10 })).toEqual([]);
    expect(check('{ sliced(first: 10) { title } }', { type_cost: 10 })).toEqual([{ code, measured: 11, allowed: 10 }]);
    expect(check('{ heavy book { title } }', { field_cost: 6 })).toEqual([]);
    expect(check('{ heavy book { title } a: book { title } }', { field_cost: 6 })).toEqual([
      { code, measured: 7, allowed: 6 },
    ]);
  });

  test('refuses what cannot be estimated, unless it only measures', () => {
    expect(check('{ sliced { title } }', {})).toEqual([{ code: 'SLICING_ARGUMENT_REQUIRED' }]);
    const told: Exceeded[] = [];
    const measureOnly = new Set(['type_cost'] as const);
    expect(check('{ sliced { title } }', { type_cost: 1, measureOnly }, (one) => told.push(one))).toEqual([]);
    expect(told).toEqual([{ limit: 'type_cost', measured: 11, allowed: 1, refused: false }]);
  });

  test('is worked out anew for each value that decides it, and for others not', () => {
    const checkCost = createCostLimit({ limits: unlimited, listSize });
    const sliced = operationOf('query ($n: Int, $t: String) { sliced(first: $n) { title } search(text: $t) }');
    const costs = [{ n: 2 }, { n: 3 }, { n: 2, t: 'x' }].map((variables) => checkCost(sliced, variables).cost.typeCost);
    expect(costs).toEqual([3, 4, 3]);
    const rich = operationOf('query ($f: Filter) { filtered(filter: $f) { title } }');
    expect([{ f: { max: 2 } }, { f: { max: 5 } }].map((values) => checkCost(rich, values).cost.typeCost)).toEqual([
      3, 6,
    ]);
  });
});
