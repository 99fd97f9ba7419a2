// What composition does to a schema, seen from outside: @override, @inaccessible, @tag, enums, inputs and directives that
// subgraphs know in part, custom scalars, introspection.
import { describe, expect, test } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph, type TestSubgraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };

describe('@override', () => {
  const subgraphs: readonly TestSubgraph[] = [
    {
      name: 'old',
      sdl: `type Query { post: Post feed: [Post!]! }
        type Post @key(fields: "id") { id: ID! moved: String slowly: String partly: String never: String wholly: String kept: String needs: String }`,
      resolvers: {
        Query: { post: () => ({ id: '1' }), feed: () => [{ id: '1' }] },
        Post: {
          ...same,
          moved: () => 'old',
          slowly: () => 'old',
          partly: () => 'old',
          never: () => 'old',
          wholly: () => 'old',
          kept: () => 'old',
          needs: () => 'old',
        },
      },
    },
    {
      name: 'new',
      sdl: `type Query { feed: [Post!]! @override(from: "old") }
        type Post @key(fields: "id") {
          id: ID! moved: String @override(from: "old") slowly: String @override(from: "old", label: "percent(0)")
          partly: String @override(from: "old", label: "percent(50)") never: String @override(from: "old", label: "team")
          wholly: String @override(from: "old", label: "percent(100)")
          kept: String @external needs: String @override(from: "old") @requires(fields: "kept")
        }`,
      resolvers: {
        Query: { feed: () => [{ id: '2' }] },
        Post: {
          ...same,
          moved: () => 'new',
          slowly: () => 'new',
          partly: () => 'new',
          never: () => 'new',
          wholly: () => 'new',
          needs: ({ kept }: { kept: string }) => `new with ${kept}`,
        },
      },
    },
    {
      name: 'other',
      sdl: 'type Post @key(fields: "id") { id: ID! extra: String @override(from: "nowhere") }',
      resolvers: { Post: { ...same, extra: () => 'other' } },
    },
  ];
  const graph = makeGraph(subgraphs);
  testFeature(graph, {
    'moves a field, and the old one is asked no more': {
      query: '{ post { moved kept } }',
      data: { post: { moved: 'new', kept: 'old' } },
      fetches: ['old {post{__typename id kept}}', 'new Post(id:"1") {...on Post{moved}}'],
    },
    'moves a root field': {
      query: '{ feed { id moved } }',
      data: { feed: [{ id: '2', moved: 'new' }] },
      fetches: ['new {feed{id moved}}'],
    },
    'goes together with @requires': {
      query: '{ post { needs } }',
      data: { post: { needs: 'new with old' } },
      fetches: ['old {post{__typename id kept}}', 'new Post(id:"1" kept:"old") {...on Post{needs}}'],
    },
    'with the label percent(0) stays with the old one': {
      query: '{ post { slowly } }',
      data: { post: { slowly: 'old' } },
      fetches: ['old {post{slowly}}'],
    },
    'with a label that the configuration does not name stays with the old one': {
      query: '{ post { never } }',
      data: { post: { never: 'old' } },
      fetches: ['old {post{never}}'],
    },
    'with the label percent(100) moves it as without one': {
      query: '{ post { wholly slowly } }',
      data: { post: { wholly: 'new', slowly: 'old' } },
      fetches: ['old {post{__typename id slowly}}', 'new Post(id:"1") {...on Post{wholly}}'],
    },
    'from a subgraph that does not exist changes nothing': {
      query: '{ post { extra } }',
      data: { post: { extra: 'other' } },
      fetches: ['old {post{__typename id}}', 'other Post(id:"1") {...on Post{extra}}'],
    },
  });

  describe('with labels that the configuration names', () => {
    testFeature(makeGraph(subgraphs, ['team', 'percent(0)', 'nobody']), {
      'moves their fields for every request': {
        query: '{ post { never slowly } }',
        data: { post: { never: 'new', slowly: 'new' } },
        fetches: ['old {post{__typename id}}', 'new Post(id:"1") {...on Post{never slowly}}'],
      },
    });
    testFeature(makeGraph(subgraphs, ['teams', 'nobody']), {
      'moves none for a label that is only like it': {
        query: '{ post { never slowly } }',
        data: { post: { never: 'old', slowly: 'old' } },
        fetches: ['old {post{never slowly}}'],
      },
    });
  });

  // That one of the two never comes in 100 requests would be luck of 1 in 2^99.
  test.each([
    '{ post { partly } }',
    '{ post { id ... @defer(if: false) { partly } } }',
    'query ($no: Boolean = false) { post { partly id @skip(if: $no) } }',
  ])('with the label percent(50) is decided for each request: %s', async (query) => {
    const answers = new Set<unknown>();
    const asked = new Set<string>();
    for (let request = 0; request < 100; request += 1) {
      const { data } = await graph.run(query, { no: false });
      answers.add((data as { post: { partly: string } }).post.partly);
      asked.add(graph.requests.map(({ subgraph }) => subgraph).join(', '));
    }
    expect([...answers].sort()).toEqual(['new', 'old']);
    expect([...asked].sort()).toEqual(['old', 'old, new']);
  });
});

describe('what clients do not see', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { user: User hidden: Int @inaccessible list(order: Order = ASC): [User!]! @tag(name: "lists") }
        type User @key(fields: "id") @key(fields: "secret") { id: ID! secret: ID! @inaccessible name(short: Boolean @inaccessible): String }
        type Secret @inaccessible { x: Int } enum Order { ASC DESC RANDOM @inaccessible }`,
      resolvers: {
        Query: {
          user: () => ({ id: '1', secret: 's' }),
          list: (_: unknown, { order }: { order: string }) => [{ id: order, secret: 's' }],
        },
        User: { name: () => 'n' },
      },
    },
    {
      name: 'b',
      sdl: 'type User @key(fields: "secret") { secret: ID! @inaccessible age: Int }',
      resolvers: { User: { ...same, age: () => 7 } },
    },
  ]);
  testFeature(graph, {
    'may still be the key that joins two subgraphs': {
      query: '{ user { age id } }',
      data: { user: { age: 7, id: '1' } },
      fetches: ['a {user{__typename secret id}}', 'b User(secret:"s") {...on User{age}}'],
    },
    'is not in the introspection: fields, arguments, types, enum values; nor is anything of federation': {
      query:
        '{ q: __type(name: "Query") { fields { name args { name defaultValue } } } u: __type(name: "User") { fields { name args { name } } } s: __type(name: "Secret") { name } o: __type(name: "Order") { enumValues { name } } j: __type(name: "join__Graph") { name } __schema { queryType { name } } }',
      data: {
        q: {
          fields: [
            { name: 'user', args: [] },
            { name: 'list', args: [{ name: 'order', defaultValue: 'ASC' }] },
          ],
        },
        u: {
          fields: [
            { name: 'id', args: [] },
            { name: 'name', args: [] },
            { name: 'age', args: [] },
          ],
        },
        s: null,
        o: { enumValues: [{ name: 'ASC' }, { name: 'DESC' }] },
        j: null,
        __schema: { queryType: { name: 'Query' } },
      },
      fetches: [],
    },
    'next to introspection data is asked for as ever, by variables too': {
      query:
        'query($type: String!, $order: Order) { user { age } __type(name: $type) { kind } list(order: $order) { id } __typename }',
      variables: { type: 'User', order: 'DESC' },
      data: { user: { age: 7 }, __type: { kind: 'OBJECT' }, list: [{ id: 'DESC' }], __typename: 'Query' },
      fetches: [
        'a {user{__typename secret}list(order:$order){id}} {order:"DESC"}',
        'b User(secret:"s") {...on User{age}}',
      ],
    },
  });
});

describe('enums and inputs that subgraphs know in part', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { user(filter: Filter, kind: Kind = MAIN): User secret: User shade: Shade } input Filter { first: Int = 5, after: Cursor, tags: [String!] = ["x"], inner: Inner = { deep: true } }
        input Inner { deep: Boolean! } scalar Cursor
        type User @key(fields: "id") { id: ID! kind: Kind @shareable level: Level! }
        enum Kind { MAIN GUEST HIDDEN @inaccessible } enum Level { LOW HIGH } enum Shade { LIGHT DARK }`,
      resolvers: {
        Query: {
          user: (_: unknown, { filter, kind }: { filter?: object; kind: string }) => ({
            id: JSON.stringify(filter ?? null),
            kind,
          }),
          secret: () => ({ id: '2', kind: 'HIDDEN' }),
        },
        User: { kind: ({ kind }: { kind: string }) => kind, level: () => 'HIGH' },
      },
    },
    {
      name: 'b',
      sdl: `type Query { levels: [Level!]! shades: [Shade] find(filter: Filter): String } input Filter { first: Int = 5, after: Cursor, extra: Int, tags: [String!] = ["x"] } scalar Cursor enum Level { LOW HIGH } enum Shade { DARK PALE }
        type User @key(fields: "id") { id: ID! kind: Kind @shareable friend: User } enum Kind { MAIN GUEST }`.replace(
        ' friend: User',
        ' data(cursor: Cursor!): Cursor',
      ),
      resolvers: {
        Query: {
          levels: () => ['HIGH', 'MIDDLE'],
          shades: () => ['DARK', 'PALE'],
          find: (_: unknown, { filter }: { filter: object }) => JSON.stringify(filter),
        },
        User: { ...same, data: (_: unknown, { cursor }: { cursor: unknown }) => ({ given: cursor }) },
      },
    },
  ]);
  testFeature(graph, {
    'defaults of arguments and input fields are those of the subgraph, literal or by variable': {
      query:
        'query($f: Filter, $none: Filter) { a: user(filter: { first: 1 }) { id } b: user(filter: $f) { id } c: user(filter: $none) { id kind } }',
      variables: { f: { after: { any: [1, null] }, tags: 'one' } },
      data: {
        a: { id: '{"first":1,"tags":["x"],"inner":{"deep":true}}' },
        b: { id: '{"first":5,"after":{"any":[1,null]},"tags":["one"],"inner":{"deep":true}}' },
        c: { id: 'null', kind: 'MAIN' },
      },
      fetches: [
        'a {a:user(filter:{first:1}){id}b:user(filter:$f){id}c:user(filter:$none){id kind}} {f:{first:5 after:{any:[1 null]} tags:["one"]}}',
      ],
    },
    'custom scalars go through unchanged, as argument and as result': {
      query:
        'query($c: Cursor!) { user { data(cursor: $c) literal: data(cursor: { a: [1, "x", null, { b: true }] }) } }',
      variables: { c: { deep: [1, { x: 'y' }] } },
      data: {
        user: { data: { given: { deep: [1, { x: 'y' }] } }, literal: { given: { a: [1, 'x', null, { b: true }] } } },
      },
      fetches: [
        'a {user{__typename id}}',
        'b User(id:"null") {...on User{data(cursor:$c)literal:data(cursor:{a:[1 "x" null{b:true}]})}} {c:{deep:[1 {x:"y"}]}}',
      ],
    },
    'an enum value that the subgraph should not send is its error': {
      query: '{ levels user { level } }',
      data: null,
      errors: ['levels.1: Enum "Level" cannot represent value: "MIDDLE"'],
      fetches: ['b {levels}', 'a {user{level}}'],
    },
    'an enum value that clients must not see is null with an error': {
      query: '{ secret { kind } }',
      data: { secret: { kind: null } },
      errors: ['secret.kind: Invalid value found for User.kind.'],
      fetches: ['a {secret{kind}}'],
    },
    'an output enum has the values of all subgraphs together': {
      query: '{ shades __type(name: "Shade") { enumValues { name } } }',
      data: {
        shades: ['DARK', 'PALE'],
        __type: { enumValues: [{ name: 'LIGHT' }, { name: 'DARK' }, { name: 'PALE' }] },
      },
      fetches: ['b {shades}'],
    },
    'only the input fields that all know are in the schema': {
      query: '{ __type(name: "Filter") { inputFields { name defaultValue } } }',
      data: {
        __type: {
          inputFields: [
            { name: 'first', defaultValue: '5' },
            { name: 'after', defaultValue: null },
            { name: 'tags', defaultValue: '["x"]' },
          ],
        },
      },
      fetches: [],
    },
  });
});

describe('executable directives', () => {
  const directive = 'directive @access(scope: Scope = PUBLIC) on FIELD enum Scope { PUBLIC PRIVATE }';
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `${directive} type Query { a: String thing: Thing } type Thing @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { a: () => 'a', thing: () => ({ id: '1' }) } },
    },
    {
      name: 'b',
      sdl: `${directive} type Query { b: String } type Thing @key(fields: "id") { id: ID! name: String }`,
      resolvers: { Query: { b: () => 'b' }, Thing: { ...same, name: ({ id }: Rep) => `n${id}` } },
    },
  ]);
  testFeature(graph, {
    'go to the subgraphs with their fields': {
      query: 'query($s: Scope) { a @access b @access(scope: $s) thing { name @access(scope: PRIVATE) } }',
      variables: { s: 'PRIVATE' },
      data: { a: 'a', b: 'b', thing: { name: 'n1' } },
      fetches: [
        'a {a@access thing{__typename id}}',
        'b {b@access(scope:$s)} {s:"PRIVATE"}',
        'b Thing(id:"1") {...on Thing{name@access(scope:PRIVATE)}}',
      ],
    },
  });
});
