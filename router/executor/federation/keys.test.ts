// How entities are found in other subgraphs: the kinds of keys, and what is done where one is missing.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };

describe('a compound key with a nested object', () => {
  const graph = makeGraph([
    {
      name: 'shelves',
      sdl: `type Query { book: Book } type Book @key(fields: "isbn shelf { hall { id } row }") { isbn: ID! shelf: Shelf @shareable }
        type Shelf @shareable { hall: Hall! row: Int! } type Hall @shareable { id: ID! }`,
      resolvers: { Query: { book: () => ({ isbn: '1', shelf: { hall: { id: 'h' }, row: 3 } }) } },
    },
    {
      name: 'loans',
      sdl: `type Book @key(fields: "isbn shelf { hall { id } row }") { isbn: ID! shelf: Shelf @shareable loans: Int }
        type Shelf @shareable { hall: Hall! row: Int! } type Hall @shareable { id: ID! }`,
      resolvers: { Book: { ...same, loans: ({ shelf }: { shelf: { row: number } }) => shelf.row * 2 } },
    },
  ]);
  testFeature(graph, {
    'is sent whole, and shown only as far as it was asked for': {
      query: '{ book { loans shelf { row } } }',
      data: { book: { loans: 6, shelf: { row: 3 } } },
      fetches: [
        'shelves {book{__typename isbn shelf{hall{id}row}}}',
        'loans Book(isbn:"1" shelf:{hall:{id:"h"} row:3}) {...on Book{loans}}',
      ],
    },
    'may be asked for under other names': {
      query: '{ book { shelf: isbn isbn: loans place: shelf { id: row row: hall { id } } } }',
      data: { book: { shelf: '1', isbn: 6, place: { id: 3, row: { id: 'h' } } } },
      fetches: [
        'shelves {book{__typename isbn shelf{hall{id}row}client__shelf:isbn place:shelf{client_0__id:row client__row:hall{id}}}}',
        'loans Book(isbn:"1" shelf:{hall:{id:"h"} row:3}) {...on Book{client__isbn:loans}}',
      ],
    },
  });
});

describe('several keys', () => {
  const item = (n: string) => ({ id: n, sku: `s${n}`, code: `c${n}` });
  const graph = makeGraph([
    {
      name: 'a',
      sdl: 'type Query { item: Item nothing: Item } type Item @key(fields: "id") { id: ID! a: Int }',
      resolvers: { Query: { item: () => item('1'), nothing: () => null }, Item: { ...same, a: () => 1 } },
    },
    {
      name: 'b',
      sdl: 'type Item @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! b: Int }',
      resolvers: { Item: { __resolveReference: ({ id }: Rep) => item(id), b: () => 2 } },
    },
    {
      name: 'c',
      sdl: 'type Query { one: Item } type Item @key(fields: "sku") @key(fields: "code") { sku: ID! code: ID! c: Int }',
      resolvers: {
        Query: { one: () => item('2') },
        Item: { __resolveReference: ({ sku }: { sku: string }) => item(sku.slice(1)), c: () => 3 },
      },
    },
    {
      name: 'd',
      sdl: 'type Item @key(fields: "code") { code: ID! d(times: Int = 2): Int }',
      resolvers: { Item: { ...same, d: (_: unknown, { times }: { times: number }) => 4 * times } },
    },
  ]);
  testFeature(graph, {
    'lead from one to the next, each fetch bringing the key of the following': {
      query: '{ item { d a } }',
      data: { item: { d: 8, a: 1 } },
      fetches: [
        'a {item{__typename id a}}',
        'b Item(id:"1") {...on Item{sku}}',
        'c Item(sku:"s1") {...on Item{code}}',
        'd Item(code:"c1") {...on Item{d}}',
      ],
    },
    'are not followed further than is needed': {
      query: '{ item { id b sku } }',
      data: { item: { id: '1', b: 2, sku: 's1' } },
      fetches: ['a {item{__typename id}}', 'b Item(id:"1") {...on Item{b sku}}'],
    },
    'may be entered anywhere': {
      query: 'query($n: Int) { one { d(times: $n) c b } }',
      variables: { n: 3 },
      data: { one: { d: 12, c: 3, b: 2 } },
      fetches: [
        'c {one{__typename sku code c}}',
        'b Item(sku:"s2") {...on Item{b}}',
        'd Item(code:"c2") {...on Item{d(times:$n)}} {n:3}',
      ],
    },
    'of nothing are not asked for': {
      query: '{ nothing { d b } }',
      data: { nothing: null },
      fetches: ['a {nothing{__typename id}}'],
    },
  });
});

describe('a key that is not known to every subgraph', () => {
  const upc = ['u1', 'u2', 'u3'];
  const graph = makeGraph([
    {
      name: 'containers',
      sdl: 'type Query { containers: [Container!]! } type Container { book: Book } type Book @key(fields: "upc") { upc: ID! }',
      resolvers: { Query: { containers: () => [...upc.map((one) => ({ book: { upc: one } })), { book: null }] } },
    },
    {
      name: 'catalog',
      sdl: 'type Book @key(fields: "id") @key(fields: "upc") { id: ID upc: ID! }',
      resolvers: {
        Book: {
          __resolveReference: ({ upc: one }: { upc: string }) =>
            one === 'u3' ? null : { upc: one, id: one === 'u2' ? null : 'b1' },
        },
      },
    },
    {
      name: 'authors',
      sdl: 'type Book @key(fields: "id") { id: ID author: Author } type Author { name: String! }',
      resolvers: {
        Book: {
          __resolveReference: ({ id }: Rep) => ({ id }),
          author: ({ id }: { id: string | null }) => (id === null ? null : { name: `of ${id}` }),
        },
      },
    },
  ]);
  testFeature(graph, {
    'that is null, and an entity that is null: what depends on it is null and no error': {
      query: '{ containers { book { upc author { name } } } }',
      data: {
        containers: [
          { book: { upc: 'u1', author: { name: 'of b1' } } },
          { book: { upc: 'u2', author: null } },
          { book: { upc: 'u3', author: null } },
          { book: null },
        ],
      },
      fetches: [
        'containers {containers{book{__typename upc}}}',
        'catalog Book(upc:"u1") Book(upc:"u2") Book(upc:"u3") {...on Book{id}}',
        'authors Book(id:"b1") Book(id:null) {...on Book{author{name}}}',
      ],
    },
  });
});

describe('a stub that cannot be resolved where it stands', () => {
  const graph = makeGraph([
    {
      name: 'reviews',
      sdl: `type Query { review: Review } type Review { text: String product: Product }
        type Product @key(fields: "upc", resolvable: false) { upc: ID! }`,
      resolvers: { Query: { review: () => ({ text: 't', product: { upc: '1' } }) } },
    },
    {
      name: 'products',
      sdl: 'type Query { top: Product } type Product @key(fields: "upc") { upc: ID! name: String }',
      resolvers: {
        Query: { top: () => ({ upc: '2' }) },
        Product: { ...same, name: ({ upc }: { upc: string }) => `n${upc}` },
      },
    },
  ]);
  testFeature(graph, {
    'is resolved where it can be': {
      query: '{ review { product { name upc } } top { name upc } }',
      data: { review: { product: { name: 'n1', upc: '1' } }, top: { name: 'n2', upc: '2' } },
      fetches: [
        'reviews {review{product{__typename upc}}}',
        'products {top{name upc}}',
        'products Product(upc:"1") {...on Product{name}}',
      ],
    },
    'needs no fetch for its key': {
      query: '{ review { product { __typename upc } } }',
      data: { review: { product: { __typename: 'Product', upc: '1' } } },
      fetches: ['reviews {review{product{__typename upc}}}'],
    },
  });
});

describe('a value type below an entity', () => {
  const graph = makeGraph(
    [
      {
        name: 'products',
        sdl: 'type Query { products: [Product!]! } type Product @key(fields: "id pid") { id: ID! pid: ID category: Category } type Category @shareable { name: String! }',
        resolvers: {
          Query: {
            products: () => [
              { id: '1', pid: 'x' },
              { id: '2', pid: null },
            ],
          },
          Product: { category: ({ id }: Rep) => ({ name: `c${id}` }) },
        },
      },
      {
        name: 'details',
        sdl: `type Product @key(fields: "id pid") { id: ID! pid: ID category: Category }
        type Category { details: String }`,
        resolvers: { Product: { ...same, category: ({ id }: Rep) => ({ details: `d${id}` }) } },
      },
    ].map((one) => ({ ...one, sdl: one.sdl.replaceAll('category: Category', 'category: Category @shareable') })),
  );
  testFeature(graph, {
    'is completed by asking for its entity again, since it has no key of its own': {
      query: '{ products { category { name details } } }',
      data: { products: [{ category: { name: 'c1', details: 'd1' } }, { category: { name: 'c2', details: 'd2' } }] },
      fetches: [
        'products {products{__typename id pid category{name}}}',
        'details Product(id:"1" pid:"x") Product(id:"2" pid:null) {...on Product{category{details}}}',
      ],
    },
  });
});

describe('entities that refer to each other', () => {
  const graph = makeGraph([
    {
      name: 'people',
      sdl: 'type Query { me: Person } type Person @key(fields: "id") { id: ID! name: String boss: Person friends: [[Person]] }',
      resolvers: {
        Query: { me: () => ({ id: '1' }) },
        Person: {
          ...same,
          name: ({ id }: Rep) => `p${id}`,
          boss: ({ id }: Rep) => ({ id: id === '1' ? '2' : '1' }),
          friends: () => [[{ id: '1' }, null], null, [], [{ id: '3' }, { id: '1' }]],
        },
      },
    },
    {
      name: 'teams',
      sdl: 'type Person @key(fields: "id") { id: ID! team: Team } type Team @key(fields: "id") { id: ID! lead: Person members: [Person!]! }',
      resolvers: {
        Person: { ...same, team: ({ id }: Rep) => ({ id: `t${id}` }) },
        Team: { ...same, lead: () => ({ id: '1' }), members: () => [{ id: '1' }, { id: '2' }, { id: '1' }] },
      },
    },
  ]);
  testFeature(graph, {
    'in circles, over and over': {
      query: '{ me { boss { boss { name team { lead { name team { id } } } } } } }',
      data: { me: { boss: { boss: { name: 'p1', team: { lead: { name: 'p1', team: { id: 't1' } } } } } } },
      fetches: [
        'people {me{boss{boss{__typename id name}}}}',
        'teams Person(id:"1") {...on Person{team{lead{__typename id team{id}}}}}',
        'people Person(id:"1") {...on Person{name}}',
      ],
    },
    'in lists of lists with nulls and repeats: each is sent once and stands everywhere': {
      query: '{ me { friends { team { members { name } } } } }',
      data: {
        me: {
          friends: [
            [{ team: { members: [{ name: 'p1' }, { name: 'p2' }, { name: 'p1' }] } }, null],
            null,
            [],
            [
              { team: { members: [{ name: 'p1' }, { name: 'p2' }, { name: 'p1' }] } },
              { team: { members: [{ name: 'p1' }, { name: 'p2' }, { name: 'p1' }] } },
            ],
          ],
        },
      },
      fetches: [
        'people {me{friends{__typename id}}}',
        'teams Person(id:"1") Person(id:"3") {...on Person{team{members{__typename id}}}}',
        'people Person(id:"1") Person(id:"2") {...on Person{name}}',
      ],
    },
  });
});

describe('entities with different keys that need each other', () => {
  const graph = makeGraph(
    [
      {
        name: 'a',
        sdl: 'type Query { a: A } type A @key(fields: "id") @key(fields: "pid") @key(fields: "compositeId { one two }") { id: ID! pid: ID! compositeId: CompositeId! name: String! } type CompositeId @shareable { one: ID! two: ID! }',
        resolvers: {
          Query: { a: () => ({ id: '1' }) },
          A: {
            __resolveReference: ({
              id,
              pid,
              compositeId,
            }: {
              id?: string;
              pid?: string;
              compositeId?: { one: string };
            }) => ({
              id: id ?? pid ?? compositeId?.one,
            }),
            pid: ({ id }: Rep) => id,
            compositeId: ({ id }: Rep) => ({ one: id, two: id }),
            name: ({ id }: Rep) => `a.${id}`,
          },
        },
      },
      {
        name: 'b',
        sdl: `type Query { b: B } type B @key(fields: "id") { id: ID! a: [A!]! }
        type A @key(fields: "id") @key(fields: "compositeId { two three }") { id: ID! compositeId: CompositeId! @shareable nameInB: String! @requires(fields: "name") name: String! @external }
        type CompositeId @shareable { two: ID! three: ID! }`,
        resolvers: {
          Query: { b: () => ({ id: '100', a: [{ id: '1' }] }) },
          A: {
            ...same,
            compositeId: ({ id }: Rep) => ({ two: id, three: id }),
            nameInB: ({ name }: { name: string }) => `b sees ${name}`,
          },
        },
      },
    ].map((one) => ({
      ...one,
      sdl: one.sdl.replace('compositeId: CompositeId! name', 'compositeId: CompositeId! @shareable name'),
    })),
  );
  testFeature(graph, {
    'are joined by the one they have in common': {
      query: '{ b { id a { id name nameInB } } }',
      data: { b: { id: '100', a: [{ id: '1', name: 'a.1', nameInB: 'b sees a.1' }] } },
      fetches: [
        'b {b{id a{__typename id}}}',
        'a A(id:"1") {...on A{name}}',
        'b A(name:"a.1" id:"1") {...on A{nameInB}}',
      ],
    },
  });
});

describe('root fields', () => {
  const graph = makeGraph([
    {
      name: 'names',
      sdl: 'type Query { product: Product @shareable products: [Product!]! @shareable again: Query } type Product @shareable { id: ID! name: Name @shareable } type Name @shareable { id: ID! brand: String }',
      resolvers: {
        Query: {
          product: () => ({ id: '1', name: { id: 'n', brand: 'b' } }),
          products: () => [{ id: '1', name: { id: 'n', brand: 'b' } }],
          again: () => ({}),
        },
      },
    },
    {
      name: 'prices',
      sdl: 'type Query { product: Product @shareable products: [Product!]! @shareable } type Product @shareable { id: ID! price: Price @shareable } type Price @shareable { id: ID! amount: Int }',
      resolvers: {
        Query: {
          product: () => ({ id: '1', price: { id: 'p', amount: 5 } }),
          products: () => [{ id: '1', price: { id: 'p', amount: 5 } }],
        },
      },
    },
  ]);
  testFeature(graph, {
    'that several subgraphs share are asked of each that is needed, and merged': {
      query: '{ product { price { amount } name { brand } id } products { name { id } price { id } } }',
      data: {
        product: { price: { amount: 5 }, name: { brand: 'b' }, id: '1' },
        products: [{ name: { id: 'n' }, price: { id: 'p' } }],
      },
      fetches: [
        'prices {product{price{amount}}products{price{id}}}',
        'names {product{name{brand}id}products{name{id}}}',
      ],
    },
    'are asked of one when that suffices': {
      query: '{ product { id price { amount } } }',
      data: { product: { id: '1', price: { amount: 5 } } },
      fetches: ['prices {product{price{amount}id}}'],
    },
    'may be asked for below another field': {
      query: '{ again { product { price { id } } __typename } }',
      data: { again: { product: { price: { id: 'p' } }, __typename: 'Query' } },
      fetches: ['names {again{__typename}}', 'prices {...on Query{__typename product{price{id}}}}'],
    },
  });
});
