// @skip and @include on what is fetched: a fetch that nobody wants is not made, and nothing else goes with it.
import { describe } from '@jest/globals';
import { testFeature } from '../testing/feature.ts';
import { makeGraph } from '../testing/graph.ts';

const same = { __resolveReference: (representation: unknown) => representation };

describe('conditions by variables', () => {
  const graph = makeGraph([
    {
      name: 'a',
      sdl: 'type Query { product: Product list: [Product!]! } type Product @key(fields: "id") { id: ID! price: Int } type Mutation { first: Int second: Int }',
      resolvers: {
        Query: {
          product: () => ({ id: '1', price: 5 }),
          list: () => [
            { id: '1', price: 5 },
            { id: '2', price: 6 },
          ],
        },
        Product: { ...same, price: ({ id }: { id: string }) => 4 + Number(id) },
        Mutation: { first: () => 1, second: () => 2 },
      },
    },
    {
      name: 'b',
      sdl: 'type Query { other: Int } type Product @key(fields: "id") { id: ID! price: Int @external cheap: Boolean @requires(fields: "price") stock: Stock } type Stock { count: Int city: String }',
      resolvers: {
        Query: { other: () => 1 },
        Product: {
          ...same,
          cheap: ({ price }: { price: number }) => price < 6,
          stock: () => ({ count: 1, city: 'Seoul' }),
        },
      },
    },
    {
      name: 'c',
      sdl: 'type Product @key(fields: "id") { id: ID! cheap: Boolean @external label: String @requires(fields: "cheap") }',
      resolvers: { Product: { ...same, label: ({ cheap }: { cheap: boolean }) => (cheap ? 'cheap!' : 'dear') } },
    },
  ]);
  const byFlag = 'query($on: Boolean!) { product { price cheap @include(if: $on) label @skip(if: $on) } }';
  testFeature(graph, {
    'one way': {
      query: byFlag,
      variables: { on: true },
      data: { product: { price: 5, cheap: true } },
      fetches: ['a {product{__typename id price}}', 'b Product(id:"1" price:5) {...on Product{cheap}}'],
    },
    'and the other': {
      query: byFlag,
      variables: { on: false },
      data: { product: { price: 5, label: 'cheap!' } },
      fetches: [
        'a {product{__typename id price}}',
        'b Product(id:"1" price:5) {...on Product{cheap}}',
        'c Product(id:"1" cheap:true) {...on Product{label}}',
      ],
    },
    'on a whole entity': {
      query: 'query($on: Boolean = false) { product @include(if: $on) { cheap } other }',
      data: { other: 1 },
      fetches: ['b {other}'],
    },
    'that leave nothing of a fetch': {
      query:
        'query($on: Boolean!) { list { id stock @include(if: $on) { count } ...S @include(if: $on) } } fragment S on Product { stock { city } }',
      variables: { on: false },
      data: { list: [{ id: '1' }, { id: '2' }] },
      fetches: ['a {list{id}}'],
    },
    'that leave nothing at all': {
      query: 'query($on: Boolean!) { product @include(if: $on) { id } ... @include(if: $on) { other } }',
      variables: { on: false },
      data: {},
      fetches: [],
    },
    'of one field twice: it is there when either is': {
      query:
        'query($x: Boolean!, $y: Boolean!) { product { stock @include(if: $x) { count } stock @skip(if: $y) { city } } }',
      variables: { x: false, y: false },
      data: { product: { stock: { city: 'Seoul' } } },
      fetches: ['a {product{__typename id}}', 'b Product(id:"1") {...on Product{stock{city}}}'],
    },
    'both on one field': {
      query: 'query($x: Boolean!, $y: Boolean!) { product { id cheap @include(if: $x) @skip(if: $y) } }',
      variables: { x: true, y: true },
      data: { product: { id: '1' } },
      fetches: ['a {product{id}}'],
    },
    'nested in each other': {
      query:
        'query($x: Boolean!, $y: Boolean!) { product { ... @include(if: $x) { id stock { count @skip(if: $y) city } ... @include(if: $y) { label } } } }',
      variables: { x: true, y: true },
      data: { product: { id: '1', stock: { city: 'Seoul' }, label: 'cheap!' } },
      fetches: [
        'a {product{__typename id price}}',
        'b Product(id:"1") {...on Product{stock{city}}} + Product(id:"1" price:5) {...on Product{cheap}}',
        'c Product(id:"1" cheap:true) {...on Product{label}}',
      ],
    },
    'in lists of entities': {
      query: 'query($x: Boolean!) { list { cheap @skip(if: $x) label @include(if: $x) } }',
      variables: { x: true },
      data: { list: [{ label: 'cheap!' }, { label: 'dear' }] },
      fetches: [
        'a {list{__typename id price}}',
        'b Product(id:"1" price:5) Product(id:"2" price:6) {...on Product{cheap}}',
        'c Product(id:"1" cheap:true) Product(id:"2" cheap:false) {...on Product{label}}',
      ],
    },
    'on __typename': {
      query:
        'query($x: Boolean!) { product { __typename @skip(if: $x) t: __typename @include(if: $x) stock { k: __typename @include(if: $x) __typename @skip(if: $x) } } }',
      variables: { x: true },
      data: { product: { t: 'Product', stock: { k: 'Stock' } } },
      fetches: ['a {product{__typename id t:__typename}}', 'b Product(id:"1") {...on Product{stock{k:__typename}}}'],
    },
    'as literals': {
      query: '{ product { id @skip(if: true) price @include(if: true) cheap @include(if: false) } }',
      data: { product: { price: 5 } },
      fetches: ['a {product{price}}'],
    },
    'on mutations': {
      query: 'mutation($x: Boolean!) { first @skip(if: $x) second }',
      variables: { x: true },
      data: { second: 2 },
      fetches: ['a mutation {second}'],
    },
  });
});
