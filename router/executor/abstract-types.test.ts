// Interfaces, unions, __typename and @interfaceObject over subgraphs that run in the test.
import { describe, expect, test } from '@jest/globals';
import { makeGraph } from './testing/graph.ts';

interface Media {
  readonly __typename: string;
  readonly id: string;
}

const library: readonly Media[] = [
  { __typename: 'Book', id: 'b1' },
  { __typename: 'Film', id: 'f1' },
  { __typename: 'Book', id: 'b2' },
];
const typed = { __resolveType: ({ __typename }: Media) => __typename };

describe('interfaces and unions', () => {
  const graph = makeGraph([
    {
      name: 'library',
      sdl: `type Query { all: [Media!]! any: [Result] first: Media }
        interface Media { id: ID! title: String }
        type Book implements Media @key(fields: "id") { id: ID! title: String pages: Int }
        type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int }
        type Note { text: String }
        union Result = Book | Film | Note`,
      resolvers: {
        Query: {
          all: () => library,
          any: () => [library[0], null, { __typename: 'Note', text: 'n' }, library[1]],
          first: () => library[1],
        },
        Media: typed,
        Result: typed,
        Book: { title: ({ id }: Media) => `Book ${id}`, pages: () => 10 },
        Film: { title: ({ id }: Media) => `Film ${id}`, minutes: () => 90 },
      },
    },
    {
      name: 'ratings',
      sdl: `type Book @key(fields: "id") { id: ID! rating: Int } type Film @key(fields: "id") { id: ID! rating: Int }`,
      resolvers: {
        Book: { __resolveReference: (rep: Media) => rep, rating: () => 1 },
        Film: { __resolveReference: (rep: Media) => rep, rating: () => 2 },
      },
    },
  ]);

  test('fields of an interface come from several subgraphs in the order of the query', async () => {
    const { data } = await graph.run('{ all { ... on Book { rating pages } title ... on Film { minutes rating } } }');
    expect(JSON.stringify(data)).toBe(
      JSON.stringify({
        all: [
          { rating: 1, pages: 10, title: 'Book b1' },
          { title: 'Film f1', minutes: 90, rating: 2 },
          { rating: 1, pages: 10, title: 'Book b2' },
        ],
      }),
    );
  });

  test('a union keeps its nulls and other members', async () => {
    const { data } = await graph.run(
      '{ any { __typename ... on Media { title } ... on Note { text } ... on Film { rating } } }',
    );
    expect(data).toEqual({
      any: [
        { __typename: 'Book', title: 'Book b1' },
        null,
        { __typename: 'Note', text: 'n' },
        { __typename: 'Film', title: 'Film f1', rating: 2 },
      ],
    });
  });

  test('__typename stands wherever it is asked for, under any alias, also at the root', async () => {
    const { data } = await graph.run(
      '{ __typename root: __typename first { kind: __typename __typename ... on Film { id: __typename } } }',
    );
    expect(data).toEqual({
      __typename: 'Query',
      root: 'Query',
      first: { kind: 'Film', __typename: 'Film', id: 'Film' },
    });
  });

  test('fields of one name that differ between types are kept apart', async () => {
    const { data } = await graph.run('{ all { ... on Book { x: pages } ... on Film { x: minutes } } }');
    expect(data).toEqual({ all: [{ x: 10 }, { x: 90 }, { x: 10 }] });
  });
});

describe('@interfaceObject', () => {
  const graph = makeGraph([
    {
      name: 'library',
      sdl: `type Query { all: [Media!]! }
        interface Media @key(fields: "id") { id: ID! title: String }
        type Book implements Media @key(fields: "id") { id: ID! title: String }
        type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int }`,
      resolvers: {
        Query: { all: () => library },
        Media: { ...typed, __resolveReference: ({ id }: Media) => library.find((one) => one.id === id) },
        Book: { title: ({ id }: Media) => `Book ${id}` },
        Film: { title: ({ id }: Media) => `Film ${id}`, minutes: () => 90 },
      },
    },
    {
      name: 'views',
      sdl: `type Query { trending: [Media!]! }
        type Media @interfaceObject @key(fields: "id") { id: ID! views: Int similar: Media }`,
      resolvers: {
        Query: { trending: () => [{ id: 'f1' }, { id: 'b2' }] },
        Media: {
          __resolveReference: ({ id }: Media) => ({ id }),
          views: ({ id }: Media) => id.length,
          similar: ({ id }: Media) => ({ id: id === 'f1' ? 'b1' : 'f1' }),
        },
      },
    },
  ]);

  test('it is sent representations of the interface, and object types keep their names', async () => {
    const { data } = await graph.run('{ all { views __typename } }');
    expect(data).toEqual({
      all: [
        { views: 2, __typename: 'Book' },
        { views: 2, __typename: 'Film' },
        { views: 2, __typename: 'Book' },
      ],
    });
    expect(graph.requests[1]?.variables['representations']).toContainEqual({ __typename: 'Media', id: 'f1' });
  });

  test('object types are looked up where they are needed', async () => {
    const { data } = await graph.run('{ trending { similar { __typename title } ... on Film { minutes } views } }');
    expect(data).toEqual({
      trending: [
        { similar: { __typename: 'Book', title: 'Book b1' }, minutes: 90, views: 2 },
        { similar: { __typename: 'Film', title: 'Film f1' }, views: 2 },
      ],
    });
  });

  test('and not where they are not', async () => {
    for (let times = 0; times < 3; times++) {
      expect((await graph.run('{ trending { id views } }')).data).toEqual({
        trending: [
          { id: 'f1', views: 2 },
          { id: 'b2', views: 2 },
        ],
      });
      expect(graph.requests).toHaveLength(1);
    }
  });
});
