// Interfaces and unions over several subgraphs: members that only some know, entity interfaces, __typename.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };
const typed = { __resolveType: ({ __typename }: { __typename: string }) => __typename };

describe('a union with entities', () => {
  const graph = makeGraph([
    {
      name: 'search',
      sdl: `type Query { search: [Hit] } union Hit = Book | Film | Note type Note { text: String }
        type Book @key(fields: "id") { id: ID! } type Film @key(fields: "id") { id: ID! year: Int }`,
      resolvers: {
        Query: {
          search: () => [
            { __typename: 'Film', id: 'f', year: 1 },
            { __typename: 'Book', id: 'b' },
            null,
            { __typename: 'Note', text: 'n' },
          ],
        },
        Film: { ...same, year: () => 1 },
      },
    },
    {
      name: 'books',
      sdl: `type Book @key(fields: "id") { id: ID! title: String sequel: Either } type Film @key(fields: "id") { id: ID! title: String }
        union Either = Book | Film`,
      resolvers: {
        Book: { ...same, title: ({ id }: Rep) => `book ${id}`, sequel: () => ({ __typename: 'Film', id: 'f' }) },
        Film: { ...same, title: ({ id }: Rep) => `film ${id}` },
      },
    },
  ]);
  testFeature(graph, {
    'asks for all its members in one fetch': {
      query: '{ search { ... on Book { title } ... on Film { name: title year } ... on Note { text } } }',
      data: { search: [{ name: 'film f', year: 1 }, { title: 'book b' }, null, { text: 'n' }] },
      fetches: [
        'search {search{__typename ...on Book{__typename id}...on Film{__typename id year}...on Note{text}}}',
        'books Film(id:"f") Book(id:"b") {...on Book{title}...on Film{name:title}}',
      ],
    },
    'tells the type under any name, also when nothing else is asked': {
      query: '{ search { __typename ... on Book { kind: __typename sequel { __typename t: __typename } } } }',
      data: {
        search: [
          { __typename: 'Film' },
          { __typename: 'Book', kind: 'Book', sequel: { __typename: 'Film', t: 'Film' } },
          null,
          { __typename: 'Note' },
        ],
      },
      fetches: [
        'search {search{__typename ...on Book{__typename id kind:__typename}}}',
        'books Book(id:"b") {...on Book{sequel{__typename t:__typename}}}',
      ],
    },
    'in a union of another subgraph': {
      query: '{ search { ... on Book { sequel { ... on Film { title year } ... on Book { id } } } } }',
      data: { search: [{}, { sequel: { title: 'film f', year: 1 } }, null, {}] },
      fetches: [
        'search {search{__typename ...on Book{__typename id}}}',
        'books Book(id:"b") {...on Book{sequel{__typename ...on Film{__typename id title}...on Book{id}}}}',
        'search Film(id:"f") {...on Film{year}}',
      ],
    },
  });
});

describe('a union of which a subgraph knows some members only', () => {
  const member = (__typename: string) => ({ __typename, label: `${__typename} label`, a: 'a', b: 'b' });
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { rootA: Node shared: Node @shareable } union Action = Common | OnlyA
        type Node @key(fields: "id") { id: ID! wrapper: Wrapper @shareable own: Wrapper } type Wrapper @shareable { actions: [Action!] }
        type Common @shareable { label: String } type OnlyA { a: String }`,
      resolvers: {
        Query: { rootA: () => ({ id: '1' }), shared: () => ({ id: '1' }) },
        Node: {
          ...same,
          wrapper: () => ({ actions: [member('Common')] }),
          own: () => ({ actions: [member('Common'), member('OnlyA')] }),
        },
      },
    },
    {
      name: 'b',
      sdl: `type Query { rootB: Node shared: Node @shareable } union Action = Common | OnlyB
        type Node @key(fields: "id") { id: ID! wrapper: Wrapper @shareable bWrapper: Wrapper } type Wrapper @shareable { actions: [Action!] }
        type Common @shareable { label: String } type OnlyB { b: String }`,
      resolvers: {
        Query: { rootB: () => ({ id: '1' }), shared: () => ({ id: '1' }) },
        Node: {
          ...same,
          wrapper: () => ({ actions: [member('Common')] }),
          bWrapper: () => ({ actions: [member('Common'), member('OnlyB')] }),
        },
      },
    },
  ]);
  const actions = '{ actions { __typename ... on Common { label } ... on OnlyA { a } ... on OnlyB { b } } }';
  testFeature(graph, {
    'is asked for all of them where no other subgraph could answer': {
      query: `{ rootA { own ${actions} } }`,
      data: {
        rootA: {
          own: {
            actions: [
              { __typename: 'Common', label: 'Common label' },
              { __typename: 'OnlyA', a: 'a' },
            ],
          },
        },
      },
      fetches: ['a {rootA{own{actions{__typename ...on Common{label}...on OnlyA{a}}}}}'],
    },
    'below a field that several subgraphs share is asked for what they have in common, since each must answer alike': {
      query: `{ rootA { wrapper ${actions} } }`,
      data: { rootA: { wrapper: { actions: [{ __typename: 'Common', label: 'Common label' }] } } },
      fetches: ['a {rootA{wrapper{actions{__typename ...on Common{label}}}}}'],
    },
    'behind a hop is asked for those of where it lands': {
      query: `{ rootA { bWrapper ${actions} } }`,
      data: {
        rootA: {
          bWrapper: {
            actions: [
              { __typename: 'Common', label: 'Common label' },
              { __typename: 'OnlyB', b: 'b' },
            ],
          },
        },
      },
      fetches: [
        'a {rootA{__typename id}}',
        'b Node(id:"1") {...on Node{bWrapper{actions{__typename ...on Common{label}...on OnlyB{b}}}}}',
      ],
    },
    'with none of its own selected there is not asked for fields': {
      query: '{ rootA { own { actions { __typename ... on OnlyB { b } } } } }',
      data: { rootA: { own: { actions: [{ __typename: 'Common' }, { __typename: 'OnlyA' }] } } },
      fetches: ['a {rootA{own{actions{__typename}}}}'],
    },
  });
});

describe('an interface whose types are entities elsewhere', () => {
  const graph = makeGraph([
    {
      name: 'shop',
      sdl: `type Query { products: [Product!]! node(id: ID!): Node }
        interface Product { id: ID! dimensions: Size } interface Node { id: ID! }
        type Book implements Product & Node @key(fields: "id") { id: ID! dimensions: Size @external }
        type Magazine implements Product & Node @key(fields: "id") { id: ID! dimensions: Size @external }
        type Size @shareable { size: String }`,
      resolvers: {
        Query: {
          products: () => [
            { __typename: 'Book', id: '1' },
            { __typename: 'Magazine', id: '2' },
          ],
          node: (_: unknown, { id }: Rep) => ({ __typename: id === '1' ? 'Book' : 'Magazine', id }),
        },
        Product: typed,
        Node: typed,
      },
    },
    {
      name: 'stock',
      sdl: `interface Product { id: ID! reviews: [Review!]! }
        type Book implements Product @key(fields: "id") { id: ID! dimensions: Size reviews: [Review!]! pages: Int isbn: String }
        type Magazine implements Product @key(fields: "id") { id: ID! dimensions: Size reviews: [Review!]! issue(of: String): String }
        type Size @shareable { size: String } type Review { id: ID! product: Product }`,
      resolvers: {
        Product: typed,
        Book: {
          ...same,
          dimensions: () => ({ size: 's' }),
          pages: () => 9,
          isbn: () => 'i1',
          reviews: () => [{ id: 'r', product: { __typename: 'Magazine', id: '2' } }],
        },
        Magazine: {
          ...same,
          dimensions: () => ({ size: 'm' }),
          reviews: () => [],
          issue: (_: unknown, { of }: { of?: string }) => `issue ${of}`,
        },
      },
    },
  ]);
  testFeature(graph, {
    'asks for its fields by type': {
      query: '{ products { id dimensions { size } } }',
      data: {
        products: [
          { id: '1', dimensions: { size: 's' } },
          { id: '2', dimensions: { size: 'm' } },
        ],
      },
      fetches: [
        'shop {products{__typename id ...on Book{__typename id}...on Magazine{__typename id}}}',
        'stock Book(id:"1") Magazine(id:"2") {...on Book{dimensions{size}}...on Magazine{dimensions{size}}}',
      ],
    },
    'that leads to itself again': {
      query: '{ products { reviews { product { id reviews { id } ... on Magazine { issue(of: "May") } } } } }',
      data: { products: [{ reviews: [{ product: { id: '2', reviews: [], issue: 'issue May' } }] }, { reviews: [] }] },
      fetches: [
        'shop {products{__typename ...on Book{__typename id}...on Magazine{__typename id}}}',
        'stock Book(id:"1") Magazine(id:"2") {...on Book{reviews{product{__typename id reviews{id}...on Magazine{issue(of:"May")}}}}...on Magazine{reviews{product{__typename id reviews{id}...on Magazine{issue(of:"May")}}}}}',
      ],
    },
    'through a second interface, with the conditions of variables on fragments': {
      query:
        'query($yes: Boolean = true, $no: Boolean = false) { node(id: 1) { ... on Product { id ... on Book @include(if: $yes) { pages ... on Book @skip(if: $yes) { dimensions { size } } } ... on Book @include(if: $no) { __typename } } } }',
      data: { node: { id: '1', pages: 9 } },
      fetches: [
        'shop {node(id:1){__typename ...on Book{__typename id}...on Product{__typename id}}}',
        'stock Book(id:"1") {...on Book{pages}}',
      ],
    },
    'with fields of one name that differ by type': {
      query: '{ products { ... on Book { info: isbn } ... on Magazine { info: issue(of: "June") } } }',
      data: { products: [{ info: 'i1' }, { info: 'issue June' }] },
      fetches: [
        'shop {products{__typename ...on Book{__typename id}...on Magazine{__typename id}}}',
        'stock Book(id:"1") Magazine(id:"2") {...on Book{client_0__info:isbn}...on Magazine{client_1__info:issue(of:"June")}}',
      ],
    },
  });
});

describe('fields of one name and other types', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: `type Query { users: [User!]! accounts: [Account!]! } union Account = User | Admin
        type User @key(fields: "id") { id: ID @shareable name: String! @shareable } type Admin { id: ID name: String! }`,
      resolvers: {
        Query: {
          users: () => [{ id: 'u', name: 'un' }],
          accounts: () => [
            { __typename: 'User', id: 'u', name: 'un' },
            { __typename: 'Admin', id: 'ad', name: 'an' },
          ],
        },
      },
    },
    {
      name: 'b',
      sdl: 'type User @key(fields: "id") { id: ID @shareable name: String @shareable similar: [Thing!] } union Thing = User | Robot type Robot { id: ID! name: Float }',
      resolvers: {
        User: {
          ...same,
          similar: () => [
            { __typename: 'User', id: 'v', name: 'x' },
            { __typename: 'Robot', id: 'r', name: 1.5 },
          ],
        },
      },
    },
  ]);
  testFeature(graph, {
    'stand under names of their own': {
      query: '{ users { similar { ... on User { id n: name } ... on Robot { rid: id number: name } } } }',
      data: {
        users: [
          {
            similar: [
              { id: 'v', n: 'x' },
              { rid: 'r', number: 1.5 },
            ],
          },
        ],
      },
      fetches: [
        'a {users{__typename id}}',
        'b User(id:"u") {...on User{similar{__typename ...on User{id n:name}...on Robot{rid:id number:name}}}}',
      ],
    },
    'of which one may be null and the other may not': {
      query: '{ accounts { ... on User { id } ... on Admin { id name } } }',
      data: { accounts: [{ id: 'u' }, { id: 'ad', name: 'an' }] },
      fetches: ['a {accounts{__typename ...on User{id}...on Admin{id name}}}'],
    },
  });
});
