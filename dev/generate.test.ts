// What is generated is committed and fresh: the supergraph, the API schema, the resolver types and the reference pages.
import { expect, test } from '@jest/globals';
import { errorTable } from '../service/errors.ts';
import { generatedFiles, staleFiles } from './generate.ts';

const files = await generatedFiles();

test('no generated file is out of date', async () => {
  expect(await staleFiles(files)).toEqual([]);
});

test('generating twice gives the same text', async () => {
  expect(await generatedFiles()).toEqual(files);
});

test('the public schema shows clients neither federation nor auth directives', () => {
  expect(files.get('schema/supergraph.graphql')).toContain('join__');
  expect(files.get('schema/api.graphql')).not.toMatch(/join__|@authenticated|@requiresScopes|@event|_entities/);
});

test('every error code and every variable has its row', () => {
  for (const code of Object.keys(errorTable)) expect(files.get('docs/errors.md')).toContain(`| \`${code}\``);
  const configuration = files.get('docs/configuration.md') ?? '';
  expect(configuration).toMatch(/\| `NATS_URL` +\| all +\| `nats:\/\/localhost:4222` +\|/);
  expect(configuration).toMatch(/\| `ORDER_DATABASE_URL` +\| order +\| \*\*required\*\* +\|/);
  expect(configuration).toMatch(/\| `ORDER_INITIAL_STATUS` +\| order +\| `ORDERED` +\| `ORDERED`, `ON_HOLD` +\|/);
  expect(configuration).toMatch(/\| `ROUTER_PORT` +\| router +\| `4000` +\| 0\.\.65535 +\|/);
});
