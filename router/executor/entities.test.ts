// Keys of every kind, @requires, @provides, @shareable and @override over subgraphs that run in the test.
import { describe, expect, test } from '@jest/globals';
import { makeGraph, type Resolvers } from './testing/graph.ts';

interface Rep {
  readonly __typename: string;
  readonly id?: string;
  readonly sku?: string;
  readonly org?: { readonly id: string };
  readonly price?: number;
  readonly dimensions?: { readonly width: number };
}

const byId = { __resolveReference: (rep: Rep) => rep };

describe('keys', () => {
  const people = [
    { id: '1', name: 'Ada' },
    { id: '2', name: 'Bob' },
  ];
  const graph = makeGraph([
    {
      name: 'posts',
      sdl: `type Query { posts: [Post!]! }
        type Post { title: String! author: User reviewers: [[User]!]! }
        type User @key(fields: "id", resolvable: false) { id: ID! }`,
      resolvers: {
        Query: {
          posts: () => [
            { title: 'a', author: { id: '1' }, reviewers: [[{ id: '2' }, null], []] },
            { title: 'b', author: { id: '1' }, reviewers: [[{ id: '1' }, { id: '2' }]] },
            { title: 'c', author: null, reviewers: [] },
          ],
        },
      },
    },
    {
      name: 'users',
      sdl: `type User @key(fields: "id") { id: ID! name: String! best: Friend } type Friend { nick: String }`,
      resolvers: {
        User: {
          __resolveReference: ({ id }: Rep) => people.find((one) => one.id === id),
          best: ({ id }: Rep) => ({ nick: `friend of ${String(id)}` }),
        },
      },
    },
  ]);

  test('an entity is asked for once, however often it stands in the response', async () => {
    const { data } = await graph.run('{ posts { title author { name best { nick } } } }');
    expect(data).toEqual({
      posts: [
        { title: 'a', author: { name: 'Ada', best: { nick: 'friend of 1' } } },
        { title: 'b', author: { name: 'Ada', best: { nick: 'friend of 1' } } },
        { title: 'c', author: null },
      ],
    });
    expect(graph.requests[1]?.variables).toEqual({ representations: [{ __typename: 'User', id: '1' }] });
  });

  test('entities in lists of lists keep their places, nulls and empty lists among them', async () => {
    const { data } = await graph.run('{ posts { reviewers { name } } }');
    expect(data).toEqual({
      posts: [
        { reviewers: [[{ name: 'Bob' }, null], []] },
        { reviewers: [[{ name: 'Ada' }, { name: 'Bob' }]] },
        { reviewers: [] },
      ],
    });
    expect(graph.requests[1]?.variables).toEqual({
      representations: [
        { __typename: 'User', id: '2' },
        { __typename: 'User', id: '1' },
      ],
    });
  });

  test('one subgraph that suffices is asked once, with the variables it uses and no others', async () => {
    await graph.run('query Q($yes: Boolean!) { posts { title @include(if: $yes) } }', { yes: true, other: 1 });
    expect(graph.requests).toHaveLength(1);
    expect(graph.requests[0]).toMatchObject({ subgraph: 'posts', variables: {}, kind: 'query' });
  });
});

describe('several keys', () => {
  const graph = makeGraph([
    {
      name: 'catalog',
      sdl: `type Query { products: [Product!]! }
        type Product @key(fields: "id") @key(fields: "sku org { id }") { id: ID! sku: ID! org: Org! }
        type Org { id: ID! }`,
      resolvers: {
        Query: { products: () => [1, 2].map((n) => ({ id: `p${n}`, sku: `s${n}`, org: { id: 'o' } })) },
      },
    },
    {
      name: 'stock',
      sdl: `type Product @key(fields: "sku org { id }") @key(fields: "code") { sku: ID! org: Org! code: ID! count: Int }
        type Org { id: ID! }`,
      resolvers: {
        Product: {
          __resolveReference: ({ sku, org }: Rep) => ({ sku, org, code: `c-${String(sku)}`, count: org?.id.length }),
        },
      },
    },
    {
      name: 'shipping',
      sdl: `type Product @key(fields: "code") { code: ID! days: Int }`,
      resolvers: { Product: { ...byId, days: ({ code }: { code: string }) => code.length } },
    },
  ]);

  test('a compound key with a nested object is sent whole', async () => {
    const { data } = await graph.run('{ products { count } }');
    expect(data).toEqual({ products: [{ count: 1 }, { count: 1 }] });
    expect(graph.requests[1]?.variables['representations']).toEqual([
      { __typename: 'Product', sku: 's1', org: { id: 'o' } },
      { __typename: 'Product', sku: 's2', org: { id: 'o' } },
    ]);
  });

  test('a key of one subgraph leads over a second to a third', async () => {
    const { data } = await graph.run('{ products { days id } }');
    expect(data).toEqual({
      products: [
        { days: 4, id: 'p1' },
        { days: 4, id: 'p2' },
      ],
    });
    expect(graph.requests.map(({ subgraph }) => subgraph)).toEqual(['catalog', 'stock', 'shipping']);
  });

  test("a client's alias may have the name of a key", async () => {
    const { data } = await graph.run('{ products { sku: days id: sku code: id __typename: count } }');
    expect(data).toEqual({
      products: [
        { sku: 4, id: 's1', code: 'p1', __typename: 1 },
        { sku: 4, id: 's2', code: 'p2', __typename: 1 },
      ],
    });
  });
});

describe('@requires', () => {
  const resolvers = (fails: string[]): Resolvers => ({
    Product: {
      ...byId,
      shipping: ({ price, dimensions }: Rep) => {
        if (fails.length > 0) throw new Error(fails[0]);
        return (price ?? 0) * (dimensions?.width ?? 0);
      },
      label: ({ id, price }: Rep) => `${String(id)}: ${String(price)}`,
    },
  });
  const fails: string[] = [];
  const graph = makeGraph([
    {
      name: 'catalog',
      sdl: `enum Currency { KRW USD } type Query { products: [Product!]! }
        type Product @key(fields: "id") { id: ID! price(currency: Currency!): Int dimensions: Dimensions other: Int }
        type Dimensions { width: Int height: Int }`,
      resolvers: {
        Query: { products: () => [{ id: '1' }, { id: '2' }, { id: '1' }] },
        Product: {
          price: ({ id }: Rep, { currency }: { currency: string }) =>
            id === '2' ? null : currency === 'KRW' ? 1000 : 1,
          dimensions: () => ({ width: 3, height: 4 }),
        },
      },
    },
    {
      name: 'shipping',
      sdl: `enum Currency { KRW USD }
        type Product @key(fields: "id") {
          id: ID! price(currency: Currency!): Int @external dimensions: Dimensions @external
          shipping: Int @requires(fields: "price(currency: KRW) dimensions { width }")
          label: String @requires(fields: "price(currency: KRW)")
        }
        type Dimensions { width: Int @external }`,
      resolvers: resolvers(fails),
    },
  ]);

  test('required fields are fetched with their arguments and nested selections, and sent along', async () => {
    const { data } = await graph.run('{ products { shipping } }');
    expect(data).toEqual({ products: [{ shipping: 3000 }, { shipping: 0 }, { shipping: 3000 }] });
    expect(graph.requests[1]?.variables['representations']).toEqual([
      { __typename: 'Product', price: 1000, dimensions: { width: 3 }, id: '1' },
      { __typename: 'Product', price: null, dimensions: { width: 3 }, id: '2' },
    ]);
  });

  test('the client may select the same field with other arguments', async () => {
    const { data } = await graph.run('{ products { price(currency: USD) label krw: price(currency: KRW) } }');
    expect(data).toEqual({
      products: [
        { price: 1, label: '1: 1000', krw: 1000 },
        { price: null, label: '2: null', krw: null },
        { price: 1, label: '1: 1000', krw: 1000 },
      ],
    });
  });

  test('a condition on the requiring field does not take others with it', async () => {
    const query = 'query($no: Boolean!) { products { label dimensions { height } shipping @include(if: $no) } }';
    const { data, errors } = await graph.run(query, { no: false });
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ products: [{ label: '1: 1000', dimensions: { height: 4 } }, {}, {}] });
    expect(JSON.stringify(data)).not.toContain('shipping');
  });

  test('an error of the requiring field stands at each place of the entity', async () => {
    fails.push('no scales');
    const { data, errors } = await graph.run('{ products { shipping } }');
    fails.length = 0;
    expect(data).toEqual({ products: [{ shipping: null }, { shipping: null }, { shipping: null }] });
    expect(errors?.map(({ path }) => path?.join('.'))).toEqual([
      'products.0.shipping',
      'products.2.shipping',
      'products.1.shipping',
    ]);
  });
});

describe('values of several subgraphs', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { product: Product top: Product @provides(fields: "name") }
        type Product @key(fields: "id") { id: ID! size: Size @shareable name: String @external old: Int }
        type Size @shareable { w: Int h: Int }`,
      resolvers: {
        Query: { product: () => ({ id: '1' }), top: () => ({ id: '1', name: 'provided' }) },
        Product: { size: () => ({ w: 1, h: 2 }), old: () => 1 },
      },
    },
    {
      name: 'b',
      sdl: `type Product @key(fields: "id") { id: ID! size: Size @shareable name: String @shareable old: Int @override(from: "a") }
        type Size @shareable { h: Int d: Int }`,
      resolvers: { Product: { ...byId, size: () => ({ h: 2, d: 3 }), name: () => 'own', old: () => 2 } },
    },
  ]);

  test('a shared value object gets its fields from each of them', async () => {
    const { data } = await graph.run('{ product { size { w d h } } }');
    expect(data).toEqual({ product: { size: { w: 1, d: 3, h: 2 } } });
  });

  test('@provides spares a fetch, and only where it is', async () => {
    expect((await graph.run('{ top { name } }')).data).toEqual({ top: { name: 'provided' } });
    expect(graph.requests).toHaveLength(1);
    expect((await graph.run('{ product { name } }')).data).toEqual({ product: { name: 'own' } });
    expect(graph.requests).toHaveLength(2);
  });

  test('@override moves a field', async () => {
    expect((await graph.run('{ product { old } }')).data).toEqual({ product: { old: 2 } });
  });
});

test('what one entity is given at one place is not changed by another place', async () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { left: Box right: Box } type Box { thing: Thing } type Thing @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { left: () => ({ thing: { id: '1' } }), right: () => ({ thing: { id: '1' } }) } },
    },
    {
      name: 'b',
      sdl: `type Thing @key(fields: "id") { id: ID! part: Part! } type Part @key(fields: "id") { id: ID! }`,
      resolvers: { Thing: { ...byId, part: () => ({ id: 'p' }) } },
    },
    {
      name: 'c',
      sdl: `type Part @key(fields: "id") { id: ID! size(unit: String): String }`,
      resolvers: { Part: { ...byId, size: (_: unknown, { unit }: { unit: string }) => `1 ${unit}` } },
    },
  ]);
  const { data } = await graph.run(
    '{ left { thing { part { size(unit: "cm") } } } right { thing { part { size(unit: "inch") } } } }',
  );
  expect(data).toEqual({
    left: { thing: { part: { size: '1 cm' } } },
    right: { thing: { part: { size: '1 inch' } } },
  });
});

test('a root type that stands below another object is asked for anew', async () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { me: Query n: Int @shareable list: [Query!]! }`,
      resolvers: { Query: { me: () => ({}), n: () => 1, list: () => [{}, {}] } },
    },
    { name: 'b', sdl: `type Query { m: Int }`, resolvers: { Query: { m: () => 2 } } },
  ]);
  const { data } = await graph.run('{ me { n m me { m __typename } } list { m n } }');
  expect(data).toEqual({
    me: { n: 1, m: 2, me: { m: 2, __typename: 'Query' } },
    list: [
      { m: 2, n: 1 },
      { m: 2, n: 1 },
    ],
  });
});
