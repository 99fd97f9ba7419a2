// @provides: what a subgraph brings, so that others need not be asked.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

const same = { __resolveReference: (representation: unknown) => representation };

describe('@provides', () => {
  const graph = makeGraph([
    {
      name: 'feed',
      sdl: `type Query { entry: Entry @provides(fields: "title author { name }") plain: Entry any: [Media] @provides(fields: "... on Song { title }") either: Either @provides(fields: "... on Song { title }") }
        type Entry @key(fields: "id") { id: ID! title: String @external author: User }
        type User @key(fields: "id") { id: ID! name: String @external }
        interface Media { id: ID! } type Song implements Media @key(fields: "id") { id: ID! title: String @external } type Film implements Media @key(fields: "id") { id: ID! }
        union Either = Song | Film`,
      resolvers: {
        Query: {
          entry: () => ({ id: '1', title: 'provided', author: { id: 'u', name: 'provided' } }),
          plain: () => ({ id: '1', author: { id: 'u' } }),
          any: () => [
            { __typename: 'Song', id: '1', title: 'provided' },
            { __typename: 'Film', id: '2' },
          ],
          either: () => ({ __typename: 'Song', id: '1', title: 'provided' }),
        },
      },
    },
    {
      name: 'owner',
      sdl: `type Entry @key(fields: "id") { id: ID! title: String @shareable more: String }
        type User @key(fields: "id") { id: ID! name: String @shareable age: Int }
        type Song @key(fields: "id") { id: ID! title: String @shareable } type Film @key(fields: "id") { id: ID! title: String @shareable }`,
      resolvers: {
        Entry: { ...same, title: () => 'own', more: () => 'm' },
        User: { ...same, name: () => 'own', age: () => 1 },
        Song: { ...same, title: () => 'own' },
        Film: { ...same, title: () => 'own' },
      },
    },
  ]);
  testFeature(graph, {
    'spares the fetch, also of nested fields': {
      query: '{ entry { id headline: title author { name } } }',
      data: { entry: { id: '1', headline: 'provided', author: { name: 'provided' } } },
      fetches: ['feed {entry{id headline:title author{name}}}'],
    },
    'holds where it stands and nowhere else': {
      query: '{ plain { title author { name } } }',
      data: { plain: { title: 'own', author: { name: 'own' } } },
      fetches: [
        'feed {plain{__typename id author{__typename id}}}',
        'owner Entry(id:"1") {...on Entry{title}} + User(id:"u") {...on User{name}}',
      ],
    },
    'asks the owner for the rest only': {
      query: '{ entry { title ... { more } author { age name } } }',
      data: { entry: { title: 'provided', more: 'm', author: { age: 1, name: 'provided' } } },
      fetches: [
        'feed {entry{__typename id title author{__typename id name}}}',
        'owner Entry(id:"1") {...on Entry{more}} + User(id:"u") {...on User{age}}',
      ],
    },
    'of one type of an interface spares that one': {
      query: '{ any { ... on Song { title } ... on Film { title } } }',
      data: { any: [{ title: 'provided' }, { title: 'own' }] },
      fetches: [
        'feed {any{__typename ...on Song{title}...on Film{__typename id}}}',
        'owner Film(id:"2") {...on Film{title}}',
      ],
    },
    'of one member of a union spares that one': {
      query: '{ either { __typename ... on Song { title } ... on Film { id } } }',
      data: { either: { __typename: 'Song', title: 'provided' } },
      fetches: ['feed {either{__typename ...on Song{title}...on Film{id}}}'],
    },
  });
});
