// What npm start prints when all is ready: valid operations, lines that can be copied.
import { expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './folders.ts';
import { firstOperations, people, welcome } from './welcome.ts';

const apiSchema = buildSchema(readFileSync(join(root, 'schema', 'api.graphql'), 'utf8'));

test('the first operations are valid in the public schema', () => {
  for (const { text } of firstOperations(['1', '2'])) expect(validate(apiSchema, parse(text))).toEqual([]);
});

test('the ready line stands alone, and links and operations have lines of their own to copy', async () => {
  const text = await welcome({
    graphqlUrl: 'http://localhost:4000/graphql',
    issuer: { jwksFile: '', issuer: '', audience: '', token: ({ sub }) => Promise.resolve(`token-of-${sub}`) },
    menuIds: ['1', '2'],
    logFolder: '.data/logs',
  });
  const lines = text.split('\n');
  expect(lines).toContain('Supergraph ready at http://localhost:4000/graphql');
  for (const { sub } of people) expect(lines).toContain(`http://localhost:4000/graphiql#token=token-of-${sub}`);
  for (const operation of firstOperations(['1', '2'])) expect(lines).toContain(operation.text);
});
