// @requires that leads to another @requires: such operations are planned in a way of their own.
import { describe, expect, test } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };

describe('@requires of what requires', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { posts: [Post!]! } type Post @key(fields: "id") { id: ID! author: Author! price: Int }
        type Author { years: Int! @shareable }`,
      resolvers: {
        Query: { posts: () => [{ id: '1' }, { id: '2' }] },
        Post: { ...same, price: ({ id }: Rep) => Number(id) * 10, author: ({ id }: Rep) => ({ years: Number(id) }) },
      },
    },
    {
      name: 'b',
      sdl: `type Query { taxed: Post } type Post @key(fields: "id") { id: ID! price: Int @external gross: Int @external
        tax: Int @requires(fields: "price") total: Int @requires(fields: "gross") sum: Int @requires(fields: "price gross") }`,
      resolvers: {
        Query: { taxed: () => ({ id: '2' }) },
        Post: {
          ...same,
          tax: ({ price }: { price: number }) => price / 5,
          total: ({ gross }: { gross: number }) => gross + 1000,
          sum: ({ price, gross }: { price: number; gross: number }) => price + gross,
        },
      },
    },
    {
      name: 'c',
      sdl: `type Post @key(fields: "id") { id: ID! tax: Int @external author: Author! @external
        gross: Int @requires(fields: "tax author { years }") next: Post } type Author { years: Int! @external }`,
      resolvers: {
        Post: {
          ...same,
          gross: ({ tax, author }: { tax: number; author: { years: number } }) => tax * 100 + author.years,
          next: () => ({ id: '1' }),
        },
      },
    },
  ]);
  testFeature(graph, {
    'shows nothing of the steps that were not asked for': {
      query: '{ posts { gross } }',
      data: { posts: [{ gross: 201 }, { gross: 402 }] },
      fetches: [
        'a {posts{__typename id price author{years}}}',
        'b Post(id:"1" price:10) Post(id:"2" price:20) {...on Post{tax}}',
        'c Post(id:"1" tax:2 author:{years:1}) Post(id:"2" tax:4 author:{years:2}) {...on Post{gross}}',
      ],
    },
    'and comes back to a subgraph that was asked already': {
      query: '{ posts { total sum } }',
      data: {
        posts: [
          { total: 1201, sum: 211 },
          { total: 1402, sum: 422 },
        ],
      },
      fetches: [
        'a {posts{__typename id price author{years}}}',
        'b Post(id:"1" price:10) Post(id:"2" price:20) {...on Post{tax}}',
        'c Post(id:"1" tax:2 author:{years:1}) Post(id:"2" tax:4 author:{years:2}) {...on Post{gross}}',
        'b Post(id:"1" gross:201) Post(id:"2" gross:402) {...on Post{total}} + Post(id:"1" price:10 gross:201) Post(id:"2" price:20 gross:402) {...on Post{sum}}',
      ],
    },
    'and begins in the subgraph that it comes back to': {
      query: '{ taxed { ... on Post { total } tax } }',
      data: { taxed: { total: 1402, tax: 4 } },
      fetches: [
        'b {taxed{__typename id}}',
        'a Post(id:"2") {...on Post{price author{years}}}',
        'b Post(id:"2" price:20) {...on Post{tax}}',
        'c Post(id:"2" tax:4 author:{years:2}) {...on Post{gross}}',
        'b Post(id:"2" gross:402) {...on Post{total}}',
      ],
    },
    'below a field of the subgraph that requires': {
      query: '{ taxed { next { gross } } }',
      data: { taxed: { next: { gross: 201 } } },
      fetches: [
        'b {taxed{__typename id}}',
        'c Post(id:"2") {...on Post{next{__typename id}}}',
        'a Post(id:"1") {...on Post{price author{years}}}',
        'b Post(id:"1" price:10) {...on Post{tax}}',
        'c Post(id:"1" tax:2 author:{years:1}) {...on Post{gross}}',
      ],
    },
  });

  test.each([
    ['a chain', '{ posts { id ... @defer { total } } }', [{ id: '1', total: 1201 }]],
    ['a chain that only what is deferred makes', '{ posts { tax ... @defer { gross } } }', [{ tax: 2, gross: 201 }]],
  ])('%s with @defer is answered in one piece', async (_what, query, posts) => {
    expect(graph.compile(query).deferralFor({})).toBeUndefined();
    expect(await graph.run(query)).toMatchObject({ data: { posts: [...posts, {}] } });
  });

  test('with @defer, what requires nothing that requires is deferred as ever', () => {
    expect(graph.compile('{ posts { id ... @defer { tax } } }').deferralFor({})?.parts).toHaveLength(1);
  });
});

describe('@requires of what requires, of objects of an interface', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { all: [Media!]! } interface Media { id: ID! } type Book implements Media @key(fields: "id") { id: ID! title: String @inaccessible }
        type Film implements Media @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          all: () => [
            { __typename: 'Book', id: '1' },
            { __typename: 'Film', id: '2' },
          ],
        },
        Book: { ...same, title: ({ id }: Rep) => `book ${id}` },
      },
    },
    {
      name: 'b',
      sdl: `type Query { shelf: [Media!]! } interface Media { loud: String }
        type Book implements Media @key(fields: "id") { id: ID! title: String @external slug: String @external
          short: String @requires(fields: "title") loud: String @requires(fields: "slug") }
        type Film implements Media @key(fields: "id") { id: ID! loud: String }`,
      resolvers: {
        Query: {
          shelf: () => [
            { __typename: 'Film', id: '3', loud: 'FILM' },
            { __typename: 'Book', id: '4' },
          ],
        },
        Book: {
          ...same,
          short: ({ title }: { title: string }) => title.slice(0, 1),
          loud: ({ slug }: { slug: string }) => slug.toUpperCase(),
        },
        Film: { ...same, loud: () => 'FILM' },
      },
    },
    {
      name: 'c',
      sdl: 'type Book @key(fields: "id") { id: ID! short: String @external slug: String @requires(fields: "short") }',
      resolvers: { Book: { ...same, slug: ({ id, short }: Rep & { short: string }) => `${short}-${id}` } },
    },
  ]);
  testFeature(graph, {
    'sends each type what it requires': {
      query: '{ shelf { other: loud __typename } }',
      data: {
        shelf: [
          { other: 'FILM', __typename: 'Film' },
          { other: 'B-4', __typename: 'Book' },
        ],
      },
      fetches: [
        'b {shelf{...on Book{id}__typename ...on Film{other:loud}...on Book{__typename id}}}',
        'a Book(id:"4") {...on Book{title}}',
        'b Book(id:"4" title:"book 4") {...on Book{short}}',
        'c Book(id:"4" short:"b") {...on Book{slug}}',
        'b Book(id:"4" slug:"b-4") {...on Book{other:loud}}',
      ],
    },
  });
});

describe('@requires of what requires, in mutations', () => {
  const state = { price: 10 };
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { x: Int } type Mutation { add(by: Int!): Post! }
        type Post @key(fields: "id") { id: ID! price: Int }`,
      resolvers: {
        Mutation: {
          add: (_: unknown, { by }: { by: number }) => {
            state.price += by;
            return { id: '1' };
          },
        },
        Post: { ...same, price: () => state.price },
      },
    },
    {
      name: 'b',
      sdl: `type Mutation { half: Post! } type Post @key(fields: "id") { id: ID! price: Int @external tax: Int @requires(fields: "price")
        gross: Int @external total: Int @requires(fields: "gross") }`,
      resolvers: {
        Mutation: {
          half: () => {
            state.price /= 2;
            return { id: '1' };
          },
        },
        Post: {
          ...same,
          tax: ({ price }: { price: number }) => price / 10,
          total: ({ gross }: { gross: number }) => gross + 1000,
        },
      },
    },
    {
      name: 'c',
      sdl: 'type Post @key(fields: "id") { id: ID! tax: Int @external gross: Int @requires(fields: "tax") now: Int }',
      resolvers: { Post: { ...same, gross: ({ tax }: { tax: number }) => tax * 100, now: () => state.price } },
    },
  ]);
  testFeature(graph, {
    'each is answered whole before the next is done': {
      query: 'mutation { add(by: 10) { total now } half { total now } again: add(by: 20) { now } }',
      data: { add: { total: 1200, now: 20 }, half: { total: 1100, now: 10 }, again: { now: 30 } },
      fetches: [
        'a mutation {add(by:10){__typename id price}}',
        'c Post(id:"1") {...on Post{now}}',
        'b Post(id:"1" price:20) {...on Post{tax}}',
        'c Post(id:"1" tax:2) {...on Post{gross}}',
        'b Post(id:"1" gross:200) {...on Post{total}}',
        'b mutation {half{__typename id}}',
        'a Post(id:"1") {...on Post{price}}',
        'c Post(id:"1") {...on Post{now}}',
        'b Post(id:"1" price:10) {...on Post{tax}}',
        'c Post(id:"1" tax:1) {...on Post{gross}}',
        'b Post(id:"1" gross:100) {...on Post{total}}',
        'a mutation {again:add(by:20){__typename id}}',
        'c Post(id:"1") {...on Post{now}}',
      ],
    },
  });
});
