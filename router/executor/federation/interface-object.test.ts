// @interfaceObject: a subgraph that adds fields to all types of an interface, of which it knows but the interface.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };
const typed = { __resolveType: ({ __typename }: { __typename: string }) => __typename };

describe('@interfaceObject', () => {
  const media = [
    { __typename: 'Video', id: '1' },
    { __typename: 'Article', id: '2' },
  ];
  const graph = makeGraph([
    {
      name: 'media',
      sdl: `type Query { media: [Media!]! } interface Media @key(fields: "id") { id: ID! title: String }
        type Video implements Media @key(fields: "id") { id: ID! title: String seconds: Int } type Article implements Media @key(fields: "id") { id: ID! title: String words: Int }`,
      resolvers: {
        Query: { media: () => media },
        Media: { ...typed, __resolveReference: ({ id }: Rep) => media.find((one) => one.id === id) },
        Video: { ...same, title: ({ id }: Rep) => `video ${id}`, seconds: () => 60 },
        Article: { ...same, title: ({ id }: Rep) => `article ${id}`, words: () => 500 },
      },
    },
    {
      name: 'playlists',
      sdl: `type Query { playlist: Playlist } type Playlist { name: String media: Media items: [Media!]! }
        type Media @key(fields: "id") @interfaceObject { id: ID! title: String @external plays: Int author: Author! loud: String @requires(fields: "title") }
        type Author @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: { playlist: () => ({ name: 'p', media: { id: '1' }, items: [{ id: '2' }, { id: '1' }, { id: '2' }] }) },
        Media: {
          ...same,
          plays: ({ id }: Rep) => Number(id) * 7,
          author: () => ({ id: 'au' }),
          loud: ({ title }: { title: string }) => title.toUpperCase(),
        },
      },
    },
    {
      name: 'authors',
      sdl: `type Query { author: Author } type Author @key(fields: "id") { id: ID! name: String }
        type Media @key(fields: "id") @interfaceObject { id: ID! authorName: String }`,
      resolvers: {
        Query: { author: () => ({ id: 'x' }) },
        Author: { ...same, name: ({ id }: Rep) => `n ${id}` },
        Media: { ...same, authorName: () => 'Ada' },
      },
    },
  ]);
  testFeature(graph, {
    'brings nothing for fragments that no object can match': {
      query:
        '{ playlist { items { ... on Video { ... on Media { ... on Article { words } } } } media { ... on Article { ... on Media { ... on Video { seconds } ... on Article { words } } } } } }',
      data: { playlist: { items: [{}, {}, {}], media: {} } },
      fetches: [
        'playlists {playlist{items{__typename id}media{__typename id}}}',
        'media Media(id:"2") Media(id:"1") {...on Media{__typename ...on Video{__typename}}} + Media(id:"1") {...on Media{__typename ...on Article{words}}}',
      ],
    },
    'brings nothing for named fragments that no object can match where they are spread': {
      query:
        '{ playlist { media { ... on Article { ... on Media { ...V } } plays ...M } } } fragment V on Video { seconds ...M } fragment M on Media { ... on Video { title } }',
      data: { playlist: { media: { plays: 7, title: 'video 1' } } },
      fetches: [
        'playlists {playlist{media{__typename id plays}}}',
        'media Media(id:"1") {...on Media{__typename ...on Article{__typename}...on Video{title}}}',
      ],
    },
    'adds fields to every type of the interface': {
      query: '{ media { plays authorName author { name } ... on Video { seconds } } }',
      data: {
        media: [
          { plays: 7, authorName: 'Ada', author: { name: 'n au' }, seconds: 60 },
          { plays: 14, authorName: 'Ada', author: { name: 'n au' } },
        ],
      },
      fetches: [
        'media {media{__typename id ...on Video{seconds}}}',
        'playlists Media(id:"1") Media(id:"2") {...on Media{plays author{__typename id}}}',
        'authors Media(id:"1") Media(id:"2") {...on Media{authorName}} + Author(id:"au") {...on Author{name}}',
      ],
    },
    'needs no type where none is asked for': {
      query: '{ playlist { media { id plays } } }',
      data: { playlist: { media: { id: '1', plays: 7 } } },
      fetches: ['playlists {playlist{media{id plays}}}'],
    },
    'finds the type where one is asked for, and then what only that type has': {
      query: '{ playlist { items { kind: __typename ... on Video { seconds } ... on Article { words authorName } } } }',
      data: {
        playlist: {
          items: [
            { kind: 'Article', words: 500, authorName: 'Ada' },
            { kind: 'Video', seconds: 60 },
            { kind: 'Article', words: 500, authorName: 'Ada' },
          ],
        },
      },
      fetches: [
        'playlists {playlist{items{__typename id}}}',
        'media Media(id:"2") Media(id:"1") {...on Media{__typename kind:__typename ...on Video{seconds}...on Article{words}}}',
        'authors Media(id:"2") {...on Media{authorName}}',
      ],
    },
    'may require what the interface has': {
      query: '{ playlist { items { loud } } media { loud title } }',
      data: {
        playlist: { items: [{ loud: 'ARTICLE 2' }, { loud: 'VIDEO 1' }, { loud: 'ARTICLE 2' }] },
        media: [
          { loud: 'VIDEO 1', title: 'video 1' },
          { loud: 'ARTICLE 2', title: 'article 2' },
        ],
      },
      fetches: [
        'playlists {playlist{items{__typename id}}}',
        'media {media{__typename id title}}',
        'media Media(id:"2") Media(id:"1") {...on Media{__typename title}}',
        'playlists Media(id:"1" title:"video 1") Media(id:"2" title:"article 2") Media(title:"article 2" id:"2") Media(title:"video 1" id:"1") {...on Media{loud}}',
      ],
    },
    'of one type only, asked on a fragment': {
      query: '{ media { ... on Article { plays } } }',
      data: { media: [{}, { plays: 14 }] },
      fetches: [
        'media {media{__typename ...on Article{__typename id}}}',
        'playlists Media(id:"2") {...on Media{plays}}',
      ],
    },
    'shows its fields on the types too': {
      query: '{ __type(name: "Video") { fields { name } } }',
      data: {
        __type: {
          fields: ['id', 'title', 'seconds', 'authorName', 'plays', 'author', 'loud'].map((name) => ({ name })),
        },
      },
      fetches: [],
    },
  });
});

describe('an interface object of which each type is asked for something else', () => {
  const graph = makeGraph([
    {
      name: 'catalog',
      sdl: `type Query { media: [Media!]! } interface Media @key(fields: "id") { id: ID! }
        type Book implements Media @key(fields: "id") { id: ID! } type Film implements Media @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          media: () => [
            { __typename: 'Book', id: 'b' },
            { __typename: 'Film', id: 'f' },
          ],
        },
        Media: { __resolveType: ({ __typename }: { __typename: string }) => __typename },
      },
    },
    {
      name: 'views',
      sdl: `type Media @key(fields: "id") @interfaceObject { id: ID! viewer(of: Int): Viewer }
        type Viewer @key(fields: "id") { id: ID! nick: String! at: Int }`,
      resolvers: {
        Media: { ...same, viewer: ({ id }: Rep) => ({ id: `v${id}`, nick: id === 'f' ? null : 'nick', at: 3 }) },
      },
    },
    {
      name: 'people',
      sdl: 'type Viewer @key(fields: "id") { id: ID! age: Int! }',
      resolvers: { Viewer: { ...same, age: () => 40 } },
    },
  ]);
  const representations = ['views Media(id:"b") ', ' + Media(id:"f") '] as const;
  testFeature(graph, {
    'loses nothing to a null in what only another type was asked for': {
      query:
        'query($n: Int) { media { ... on Book { viewer(of: $n) { nick } } ... on Film { viewer(of: $n) { at } } } }',
      data: { media: [{ viewer: { nick: 'nick' } }, { viewer: { at: 3 } }] },
      fetches: [
        'catalog {media{__typename ...on Book{__typename id}...on Film{__typename id}}}',
        `${representations[0]}{...on Media{viewer(of:$n){nick}}}${representations[1]}{...on Media{viewer(of:$n){at}}}`,
      ],
    },
    'is asked for the keys that others need': {
      query: '{ media { ... on Book { viewer { nick } } ... on Film { viewer { age } } } }',
      data: { media: [{ viewer: { nick: 'nick' } }, { viewer: { age: 40 } }] },
      fetches: [
        'catalog {media{__typename ...on Book{__typename id}...on Film{__typename id}}}',
        `${representations[0]}{...on Media{viewer{__typename nick id}}}${representations[1]}{...on Media{viewer{__typename id}}}`,
        'people Viewer(id:"vb") Viewer(id:"vf") {...on Viewer{age}}',
      ],
    },
    'loses what was asked of the type itself': {
      query: '{ media { viewer { at } ... on Film { viewer { nick } } } }',
      data: { media: [{ viewer: { at: 3 } }, { viewer: null }] },
      errors: ['media.1.viewer.nick: Cannot return null for non-nullable field Viewer.nick.'],
      fetches: [
        'catalog {media{__typename id ...on Film{__typename id}}}',
        `${representations[0]}{...on Media{viewer{at}}}${representations[1]}{...on Media{viewer{at nick}}}`,
      ],
    },
    'is asked for the types of all that is below, whoever asks for them': {
      query:
        '{ media { ... on Book { viewer { __typename ...F } } ... on Film { viewer { age at ...F } } } } fragment F on Viewer { __typename id }',
      data: {
        media: [
          { viewer: { __typename: 'Viewer', id: 'vb' } },
          { viewer: { age: 40, at: 3, __typename: 'Viewer', id: 'vf' } },
        ],
      },
      fetches: [
        'catalog {media{__typename ...on Book{__typename id}...on Film{__typename id}}}',
        `${representations[0]}{...on Media{viewer{__typename id}}}${representations[1]}{...on Media{viewer{__typename id at}}}`,
        'people Viewer(id:"vb") Viewer(id:"vf") {...on Viewer{__typename age}}',
      ],
    },
    'is asked once where all are asked for the same': {
      query: '{ media { ... on Book { viewer { at } } ... on Film { viewer { at } } } }',
      data: { media: [{ viewer: { at: 3 } }, { viewer: { at: 3 } }] },
      fetches: [
        'catalog {media{__typename ...on Book{__typename id}...on Film{__typename id}}}',
        'views Media(id:"b") Media(id:"f") {...on Media{viewer{at}}}',
      ],
    },
  });
});
