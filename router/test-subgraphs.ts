// For tests: two small subgraphs, users and reviews, served by Apollo Server on real HTTP.
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { GraphQLError, parse } from 'graphql';

const link = (...imports: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(['@key', ...imports])})`;

export const userSdl = `
  ${link('@authenticated', '@requiresScopes', '@shareable')}
  type Query {
    me: User @authenticated
    users: [User!]!
    node(id: ID!): Node
    slow: String
    failing: String
    coded: String
    huge: String
    echo(number: Int!): Int
    find(filter: Filter): Boolean
  }
  input Filter { not: Filter, number: Int, any: [Filter!], numbers: [Int!] }
  type Mutation {
    rename(id: ID!, name: String!): User
    remove(id: ID!): Boolean @requiresScopes(scopes: [["users:write"], ["admin", "danger"]])
  }
  interface Node { id: ID! }
  type User implements Node @key(fields: "id") {
    id: ID!
    name: String!
    email: String @authenticated
    secret: String! @requiresScopes(scopes: [["secrets:read"]])
    vault: Vault
  }
  type Vault implements Node @authenticated { id: ID!, content: String }
`;

export const reviewSdl = `
  ${link('@authenticated')}
  type User @key(fields: "id") { id: ID!, reviews: [Review!] , rating: Int! }
  type Review { text: String!, author: User! }
`;

const names: Readonly<Record<string, string>> = { '1': 'Ada', '2': 'Bo' };

/** `never` is what the field `slow` waits for. */
export const userResolvers = (never: Promise<string>): GraphQLResolverMap<unknown> => ({
  Query: {
    me: () => ({ id: '1' }),
    users: () => [{ id: '1' }, { id: '2' }],
    node: (_: unknown, { id }: { id: string }) => ({ __typename: id === 'v' ? 'Vault' : 'User', id }),
    slow: () => never,
    failing: () => {
      throw new Error('connection to 10.0.0.7:5432 refused');
    },
    coded: () => {
      throw new GraphQLError('You have none.', {
        extensions: { code: 'NOT_FOUND', stacktrace: ['at secret.ts:1'], argument: 'x' },
      });
    },
    huge: () => 'x'.repeat(2_000_000),
    echo: (_: unknown, { number }: { number: number }) => number,
    find: () => true,
  },
  Mutation: { rename: (_: unknown, { id }: { id: string }) => ({ id }), remove: () => true },
  User: {
    name: ({ id }: { id: string }) => names[id] ?? 'Nobody',
    email: ({ id }: { id: string }) => `${id}@example.org`,
    secret: () => 'hidden',
    vault: () => ({ id: 'v', content: 'gold' }),
    __resolveReference: (reference: unknown) => reference,
  },
});

export const reviewResolvers: GraphQLResolverMap<unknown> = {
  User: {
    reviews: ({ id }: { id: string }) => [{ text: `by ${id}`, author: { id } }],
    rating: () => 5,
    __resolveReference: (reference: unknown) => reference,
  },
};

/** Starts one subgraph; `onRequest` is told the headers of each request. */
export async function startSubgraph(
  sdl: string,
  resolvers: GraphQLResolverMap<unknown>,
  onRequest: (headers: Record<string, string | string[] | undefined>) => void,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = new ApolloServer({
    schema: buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers }]),
    stopOnTerminationSignals: false,
    includeStacktraceInErrorResponses: true,
  });
  const { url } = await startStandaloneServer(server, {
    listen: { port: 0, host: '127.0.0.1' },
    context: ({ req }) => {
      onRequest(req.headers);
      return Promise.resolve({});
    },
  });
  return { url, stop: () => server.stop() };
}
