// Composition: the committed schema composes and is fresh, and what does not compose is named.
import { expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { composeSupergraph, publicApiOf, readSubgraphs, subgraphAddresses } from './compose.ts';

const committed = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');
const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const subgraph = (name: string, sdl: string) => ({ name, url: `http://${name}`, sdl: `${federation}\n${sdl}` });

test('the four subgraphs compose, each at its address', () => {
  const { supergraphSdl } = composeSupergraph(readSubgraphs());
  for (const [name, url] of Object.entries(subgraphAddresses)) {
    expect(supergraphSdl).toContain(`@join__graph(name: "${name}", url: "${url}")`);
  }
});

test('clients see the whole graph and nothing of federation', () => {
  const { supergraphSdl, apiSdl } = composeSupergraph(readSubgraphs());
  expect(publicApiOf(supergraphSdl)).toBe(apiSdl);
  const api = buildSchema(apiSdl);
  expect(Object.keys(api.getMutationType()?.getFields() ?? {}).sort()).toEqual([
    'cancelOrder',
    'completeDelivery',
    'placeOrder',
    'releaseOrder',
    'saveMenu',
  ]);
  expect(api.getSubscriptionType()?.getFields()).toHaveProperty('orderStatusChanged');
  expect(Object.keys(api.getTypeMap()).filter((name) => /^(join|link|federation)__|^_/.test(name))).toEqual(
    Object.keys(api.getTypeMap()).filter((name) => name.startsWith('__')),
  );
});

test('what is committed is fresh', () => {
  const { supergraphSdl, apiSdl } = composeSupergraph(readSubgraphs());
  expect(committed('supergraph.graphql')).toContain(supergraphSdl.trim());
  expect(committed('api.graphql')).toContain(apiSdl.trim());
});

test('every error is named, with its code and the subgraphs that disagree', () => {
  const compose = () =>
    composeSupergraph([
      subgraph('kitchen', 'type Query { dish: Dish } type Dish @key(fields: "id") { id: ID! name: String! }'),
      subgraph('menu', 'type Dish @key(fields: "id") { id: ID! name: Int! price: Price } type Price { amount: Int }'),
    ]);
  expect(compose).toThrow(/^The subgraphs do not compose:\n/);
  expect(compose).toThrow('FIELD_TYPE_MISMATCH: Type of field "Dish.name" is incompatible across subgraphs');
  expect(compose).toThrow('INVALID_FIELD_SHARING');
});

test('a field that cannot be reached is an error', () => {
  const compose = () =>
    composeSupergraph([
      subgraph('kitchen', 'type Query { dish: Dish } type Dish { id: ID! }'),
      subgraph('menu', 'type Dish { price: Int }'),
    ]);
  expect(compose).toThrow('SATISFIABILITY_ERROR');
});
