// Where nulls go and where errors stand, as the GraphQL specification says, over the seams of subgraphs.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };
const failure = (text: string) => () => {
  throw new Error(text);
};

const graph = makeGraph([
  {
    name: 'a',
    sdl: `type Query { box: Box must: Box! boxes: [Box!] mixed: [Box] grid: [[Box!]]! node: Node lists: Lists }
      interface Node { id: ID! }
      type Box implements Node @key(fields: "id") { id: ID! inner: Inner strict: Inner! sum: Int }
      type Inner @key(fields: "id") { id: ID! }
      type Lists { ints: [Int!] deep: [[Int!]!] floats: [Float]! }`,
    resolvers: {
      Query: {
        box: () => ({ id: '1' }),
        must: () => ({ id: '1' }),
        boxes: () => [{ id: '1' }, { id: '2' }],
        mixed: () => [{ id: '1' }, null, { id: '2' }],
        grid: () => [[{ id: '1' }, { id: '2' }], [{ id: '1' }], null],
        node: () => ({ __typename: 'Box', id: '2' }),
        lists: () => ({ ints: [1, null], deep: [[1], [2, null]], floats: [1, new Error('bad float'), 2] }),
      },
      Node: { __resolveType: () => 'Box' },
      Box: { ...same, inner: ({ id }: Rep) => ({ id }), strict: ({ id }: Rep) => ({ id }), sum: () => 3 },
    },
  },
  {
    name: 'b',
    sdl: `type Box @key(fields: "id") { id: ID! size: Int! tag: String! note: String sum: Int @external twice: Int! @requires(fields: "sum") }
      type Inner @key(fields: "id") { id: ID! name: String! part: Part } type Part { label: String! parts: [Part!] }`,
    resolvers: {
      Box: {
        ...same,
        size: ({ id }: Rep) => (id === '2' ? null : 4),
        tag: ({ id }: Rep) => (id === '2' ? failure('no tag')() : 't'),
        note: failure('no note'),
        twice: failure('not twice'),
      },
      Inner: {
        __resolveReference: ({ id }: Rep) => (id === '2' ? null : { id }),
        name: ({ id }: Rep) => `i${id}`,
        part: () => ({ label: 'l', parts: [{ label: 'm' }, {}] }),
      },
      Part: { label: ({ label }: { label?: string }) => label ?? failure('no label')() },
    },
  },
]);

describe('a null where none may be', () => {
  testFeature(graph, {
    'in a fetch of entities takes its entity with it, and no other': {
      query: '{ mixed { id size } }',
      data: { mixed: [{ id: '1', size: 4 }, null, null] },
      errors: ['mixed.2.size: Cannot return null for non-nullable field Box.size.'],
      fetches: ['a {mixed{__typename id}}', 'b Box(id:"1") Box(id:"2") {...on Box{size}}'],
    },
    'takes the list with it when its items may not be null': {
      query: '{ boxes { id tag } box { id } }',
      data: { boxes: null, box: { id: '1' } },
      errors: ['boxes.1.tag: no tag'],
      fetches: ['a {boxes{__typename id}box{id}}', 'b Box(id:"1") Box(id:"2") {...on Box{tag}}'],
    },
    'takes the inner list of a list of lists': {
      query: '{ grid { tag } }',
      data: { grid: [null, [{ tag: 't' }], null] },
      errors: ['grid.0.1.tag: no tag'],
      fetches: ['a {grid{__typename id}}', 'b Box(id:"1") Box(id:"2") {...on Box{tag}}'],
    },
    'rises to the root when nothing on the way may be null': {
      query: '{ must { twice } box { id } }',
      data: null,
      errors: ['must.twice: not twice'],
      fetches: ['a {must{__typename id sum}box{id}}', 'b Box(id:"1" sum:3) {...on Box{twice}}'],
    },
    'that is an entity the other subgraph does not have': {
      query: '{ mixed { inner { id name } } }',
      data: { mixed: [{ inner: { id: '1', name: 'i1' } }, null, { inner: null }] },
      errors: ['mixed.2.inner.name: Cannot return null for non-nullable field Inner.name.'],
      fetches: ['a {mixed{inner{__typename id}}}', 'b Inner(id:"1") Inner(id:"2") {...on Inner{name}}'],
    },
    'through a field that must not be null to one that may': {
      query: '{ mixed { id strict { name } } }',
      data: { mixed: [{ id: '1', strict: { name: 'i1' } }, null, null] },
      errors: ['mixed.2.strict.name: Cannot return null for non-nullable field Inner.name.'],
      fetches: ['a {mixed{id strict{__typename id}}}', 'b Inner(id:"1") Inner(id:"2") {...on Inner{name}}'],
    },
    'through an interface, under aliases, with the error in the names of the client': {
      query: '{ n: node { ... on Box { s: tag } id } }',
      data: { n: null },
      errors: ['n.s: no tag'],
      fetches: ['a {n:node{__typename ...on Box{__typename id}id}}', 'b Box(id:"2") {...on Box{s:tag}}'],
    },
    'in lists of the subgraph itself': {
      query: '{ lists { ints deep floats } }',
      data: { lists: { ints: null, deep: null, floats: [1, null, 2] } },
      errors: [
        'lists.deep.1.1: Cannot return null for non-nullable field Lists.deep.',
        'lists.floats.1: bad float',
        'lists.ints.1: Cannot return null for non-nullable field Lists.ints.',
      ],
      fetches: ['a {lists{ints deep floats}}'],
    },
    'deep in the answer of an entity fetch': {
      query: '{ box { inner { part { label parts { label } } } } }',
      data: { box: { inner: { part: { label: 'l', parts: null } } } },
      errors: ['box.inner.part.parts.1.label: no label'],
      fetches: ['a {box{inner{__typename id}}}', 'b Inner(id:"1") {...on Inner{part{label parts{label}}}}'],
    },
    'is none where null may be: the error stands there alone': {
      query: '{ box { note size } }',
      data: { box: { note: null, size: 4 } },
      errors: ['box.note: no note'],
      fetches: ['a {box{__typename id}}', 'b Box(id:"1") {...on Box{note size}}'],
    },
  });
});
