// The directives of the SDL are enforced where they stand, whoever asks and whatever way leads there.
import { describe, expect, jest, test } from '@jest/globals';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { graphql, parse } from 'graphql';
import { enforceAuthDirectives } from './auth-directives.ts';
import type { Viewer } from './identity.ts';

const sdl = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated", "@requiresScopes"])
  type Query {
    open: String
    signedIn: String @authenticated
    rider: String @requiresScopes(scopes: [["deliveries:read"]])
    either: String @requiresScopes(scopes: [["a", "b"], ["c"]])
    both: String @authenticated @requiresScopes(scopes: [["a"]])
    nothing: String @requiresScopes(scopes: [])
    menu: Menu
  }
  type Menu @key(fields: "id") { id: ID!, name: String!, cost: Int @requiresScopes(scopes: [["menus:write"]]) }
`;
const resolve = jest.fn(() => 'secret');
const schema = enforceAuthDirectives(
  buildSubgraphSchema([
    {
      typeDefs: parse(sdl),
      resolvers: {
        Query: {
          ...Object.fromEntries(
            ['open', 'signedIn', 'rider', 'either', 'both', 'nothing'].map((name) => [name, resolve]),
          ),
          menu: () => ({ id: '1', name: '김밥', cost: 1_500 }),
        },
        Menu: { __resolveReference: ({ id }: { id: string }) => ({ id, name: '김밥', cost: 1_500 }) },
      },
    },
  ]),
);

const viewer = (...scopes: string[]): Viewer => ({ sub: 'alice', scopes: new Set(scopes), expiresAt: 0, token: '' });
const ask = (source: string, who: Viewer | undefined) => graphql({ schema, source, contextValue: { viewer: who } });

/** `ok`, or the code that was answered; a refused field's resolver never ran. */
async function outcome(field: string, who: Viewer | undefined): Promise<unknown> {
  resolve.mockClear();
  const { data, errors } = await ask(`{ ${field} }`, who);
  const code = errors?.[0]?.extensions['code'];
  expect(data?.[field]).toBe(code === undefined ? 'secret' : null);
  expect(resolve).toHaveBeenCalledTimes(code === undefined ? 1 : 0);
  return code ?? 'ok';
}

const rules: [string, Viewer | undefined, string][] = [
  ['open', undefined, 'ok'],
  ['signedIn', undefined, 'UNAUTHENTICATED'],
  ['signedIn', viewer(), 'ok'],
  ['rider', undefined, 'UNAUTHENTICATED'],
  ['rider', viewer(), 'FORBIDDEN'],
  ['rider', viewer('deliveries:write', 'deliveries'), 'FORBIDDEN'],
  ['rider', viewer('deliveries:read'), 'ok'],
  ['either', viewer('a'), 'FORBIDDEN'],
  ['either', viewer('b'), 'FORBIDDEN'],
  ['either', viewer('a', 'b'), 'ok'],
  ['either', viewer('c'), 'ok'],
  ['both', undefined, 'UNAUTHENTICATED'],
  ['both', viewer(), 'FORBIDDEN'],
  ['both', viewer('a'), 'ok'],
  ['nothing', viewer('a', 'b', 'c'), 'FORBIDDEN'],
];
describe('a field', () => {
  test.each(rules)('%s for %j: %s', async (field, who, expected) => {
    expect(await outcome(field, who)).toBe(expected);
  });
});

test('a field without a resolver of its own is guarded too, by every way that leads to it', async () => {
  const paths = [
    '{ menu { name cost } }',
    '{ _entities(representations: [{ __typename: "Menu", id: "1" }]) { ... on Menu { name cost } } }',
  ];
  for (const source of paths) {
    const refused = await ask(source, viewer());
    expect(JSON.stringify(refused.data)).toMatch(/"name":"김밥","cost":null/);
    expect(refused.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    const given = await ask(source, viewer('menus:write'));
    expect(JSON.stringify(given.data)).toMatch(/"name":"김밥","cost":1500/);
  }
});

test('an alias does not get around it', async () => {
  const { data, errors } = await ask('{ open: rider }', undefined);
  expect({ ...data }).toEqual({ open: null });
  expect(errors).toMatchObject([{ path: ['open'], extensions: { code: 'UNAUTHENTICATED' } }]);
});
