// Both lanes of GraphQL over HTTP, asked the same: they must answer the same, and no request may be run twice.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { createLog } from '../service/log.ts';
import { createCostLimit } from './cost-limit.ts';
import { createErrorMask } from './errors.ts';
import { makeGraph } from './executor/testing/graph.ts';
import type { AnswerGraphql, GraphqlHttpRequest, OperationSummary } from './graphql-http.ts';
import { createGraphqlLanes } from './graphql-lanes.ts';
import { startGraphqlServer } from './graphql-server.ts';
import type { GraphqlServer } from './graphql-server.ts';
import { unlimited } from './limits.ts';
import { createOperations } from './operations.ts';

const graph = makeGraph([
  {
    name: 'things',
    sdl: `type Query { thing(id: ID! = "1"): Thing  things: [Thing!]!  broken: String  coded: String  must: String! }
      type Mutation { touch: Thing }
      type Thing @key(fields: "id") { id: ID! label: String }`,
    resolvers: {
      Query: {
        thing: (_: unknown, { id }: { id: string }) => ({ id, label: `é "${id}"  ` }),
        things: () => [{ id: '1' }, { id: '2' }],
        broken: () => {
          throw new Error('connection to 10.0.0.7 refused');
        },
        coded: () => {
          throw new GraphQLError('None.', { extensions: { code: 'NOT_FOUND', http: { status: 418 } } });
        },
        must: () => null,
      },
      Mutation: { touch: () => ({ id: '1' }) },
    },
  },
  {
    name: 'names',
    sdl: 'type Thing @key(fields: "id") { id: ID! name: String }',
    resolvers: { Thing: { __resolveReference: (thing: unknown) => thing, name: ({ id }: { id: string }) => `n${id}` } },
  },
]);

const limits = { ...unlimited, depth: 5, aliases: 20, type_cost: 100 };
const { prepare } = createOperations({ limits, introspection: true, cacheEntries: 100 });
const execution = {
  fetch: graph.fetch,
  checkCost: createCostLimit({ limits, listSize: 10 }),
  variableLimits: { depth: 10, values: 1_000 },
};
const mask = createErrorMask({ exposedCodes: new Set(), onMasked: () => undefined });
let apollo: GraphqlServer;
let throughApollo = 0;
let lanes: AnswerGraphql;

beforeAll(async () => {
  const log = createLog('router', 'silent');
  apollo = await startGraphqlServer({ supergraph: graph.supergraph, prepare, execution, mask, log });
  const counted: Pick<GraphqlServer, 'answer' | 'supergraph'> = {
    supergraph: apollo.supergraph,
    answer(...args) {
      throughApollo++;
      return apollo.answer(...args);
    },
  };
  lanes = createGraphqlLanes({ apollo: counted, prepare, execution, mask });
});
afterAll(() => apollo.stop());

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly summaries: readonly OperationSummary[];
  readonly fetches: number;
  readonly throughApollo: boolean;
}

async function ask(answer: AnswerGraphql, request: GraphqlHttpRequest, denied = false): Promise<Answered> {
  const summaries: OperationSummary[] = [];
  const before = { fetches: graph.requests.length, throughApollo };
  const response = await answer(request, {
    identify: () => (denied ? Promise.reject(new CodedError('UNAUTHENTICATED')) : Promise.resolve(undefined)),
    onAnswered: (summary) => summaries.push(summary),
  });
  return {
    status: response.status ?? 200,
    headers: Object.fromEntries(response.headers),
    text: response.body.kind === 'complete' ? response.body.string : 'chunked',
    summaries,
    fetches: graph.requests.length - before.fetches,
    throughApollo: throughApollo > before.throughApollo,
  };
}

const tooCostly = `{ ${Array.from({ length: 11 }, (_, n) => `a${n}: things { id }`).join(' ')} }`;
const json = { 'content-type': 'application/json' };
const post = (body: unknown, headers: GraphqlHttpRequest['headers'] = json): GraphqlHttpRequest => ({
  method: 'POST',
  headers,
  search: '',
  body,
});

async function compare(request: GraphqlHttpRequest, denied = false): Promise<{ first: Answered; again: Answered }> {
  const expected = await ask((...args) => apollo.answer(...args, {}), request, denied);
  const first = await ask(lanes, request, denied);
  const again = await ask(lanes, request, denied);
  for (const one of [first, again]) expect({ ...one, throughApollo: false }).toEqual(expected);
  return { first, again };
}

describe('answered directly, and the same as through Apollo Server, is', () => {
  test.each([
    ['a query', { query: '{ thing { id label } }' }],
    ['a query over two subgraphs', { query: 'query Q { things { id name } }', operationName: 'Q', variables: null }],
    ['one with variables', { query: 'query ($id: ID!) { thing(id: $id) { id } }', variables: { id: 'x' } }],
    ['one of several operations', { query: 'query A { thing { id } } query B { things { id } }', operationName: 'B' }],
    ['a mutation', { query: 'mutation { touch { id name } }', extensions: null }],
    ['introspection', { query: '{ __typename __schema { queryType { name } } }' }],
    ['partial data with a masked error', { query: '{ broken thing { id } }' }],
    ['an error that brings a status of its own', { query: '{ coded }' }],
    ['aliases of a list, within the limit of the cost', { query: '{ a: things { id } b: things { id } }' }],
    ['a field that is called like the prototype', { query: '{ __proto__: thing { constructor: id } }' }],
  ])('%s', async (_name, body) => {
    expect((await compare(post(body))).again.throughApollo).toBe(false);
  });

  test.each([
    '*/*',
    'application/json',
    'application/graphql-response+json',
    'application/graphql-response+json;q=0.5, application/json',
    'text/html, application/graphql-response+json',
    'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9',
  ])('accept: %s', async (accept) => {
    const { first, again } = await compare(post({ query: '{ thing { id } }' }, { ...json, accept }));
    // The first teaches what to answer.
    expect([first.throughApollo, again.throughApollo]).toEqual([true, false]);
  });
});

test('what an operation costs is told when it is asked for', async () => {
  const costly = { ...json, 'graphql-cost': 'report' };
  const { again } = await compare(post({ query: '{ things { id } }' }, costly));
  expect(again.throughApollo).toBe(false);
  expect(JSON.parse(again.text)).toMatchObject({ data: {}, extensions: { cost: { typeCost: 11, fieldCost: 1 } } });
  const refused = (await compare(post({ query: tooCostly }, costly))).again;
  expect(JSON.parse(refused.text)).toMatchObject({
    errors: [{ extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', measured: 111, allowed: 100 } }],
    extensions: { cost: { typeCost: 111, fieldCost: 11 } },
  });
});

describe('left to Apollo Server is', () => {
  test.each<[string, GraphqlHttpRequest, number]>([
    ['an accept header that nothing fits', post({ query: '{ thing { id } }' }, { ...json, accept: 'text/plain' }), 406],
    ['a syntax error', post({ query: '{ thing {' }), 400],
    ['an invalid operation', post({ query: '{ nothing }' }), 400],
    ['an operation over a limit', post({ query: `{ ${'a: thing { id } '.repeat(21)} }` }), 400],
    ['an operation that costs too much', post({ query: tooCostly }), 400],
    ['an operation that is not there', post({ query: 'query A { thing { id } }', operationName: 'B' }), 400],
    [
      'a syntax error for a client that knows no other JSON',
      post({ query: '{ thing {' }, { ...json, accept: 'application/json' }),
      200,
    ],
    ['an empty object for such a client', post({}, { ...json, accept: 'application/json' }), 400],
    ['a variable that does not fit', post({ query: 'query ($id: ID!) { thing(id: $id) { id } }', variables: {} }), 400],
    ['no data at all', post({ query: '{ must }' }), 200],
    ['an empty object', post({}), 400],
    ['a batch', post([{ query: '{ thing { id } }' }]), 400],
    ['variables that are no object', post({ query: '{ thing { id } }', variables: 'x' }), 400],
    ['a list for variables', post({ query: '{ thing { id } }', variables: [] }), 400],
    ['a name that is no string', post({ query: '{ thing { id } }', operationName: 1 }), 400],
    ['a query that is no string', post({ query: { kind: 'Document' } }), 400],
    ['a method', { ...post({ query: '{ thing { id } }' }), method: 'PUT' }, 405],
    ['a GET', { ...post(undefined), method: 'GET', search: '?query=%7Bthing%7Bid%7D%7D' }, 200],
  ])('%s', async (_name, request, status) => {
    const { first, again } = await compare(request);
    expect([first.status, first.throughApollo, again.throughApollo]).toEqual([status, true, true]);
  });

  describe('an operation that cannot be planned, which is no fault of the client:', () => {
    const { planner } = graph.supergraph;
    const { buildQueryPlan } = planner;
    beforeAll(() => {
      planner.buildQueryPlan = () => {
        throw new Error('no path from 10.0.0.7');
      };
    });
    afterAll(() => {
      planner.buildQueryPlan = buildQueryPlan;
    });

    test.each<[string, GraphqlHttpRequest]>([
      ['when it is prepared', post({ query: 'query Early { thing { id } }' })],
      [
        'for a client that knows no other JSON',
        post({ query: 'query Json { thing { id } }' }, { ...json, accept: 'application/json' }),
      ],
      [
        'when its conditions are known',
        post({ query: 'query Late($no: Boolean = false) { thing @skip(if: $no) { id } }' }),
      ],
    ])('%s', async (_name, request) => {
      const { again } = await compare(request);
      expect([again.status, again.fetches]).toEqual([500, 0]);
      expect(again.summaries).toMatchObject([{ codes: ['INTERNAL_SERVER_ERROR'] }]);
      expect(JSON.parse(again.text)).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] });
      expect(again.text).not.toContain('10.0.0.7');
    });
  });

  test('what is deferred and cannot be planned so, as much as what cannot be planned at all', async () => {
    const { planner } = graph.supergraph;
    const { buildQueryPlan } = planner;
    const accept = 'multipart/mixed;deferSpec=20220824, application/json';
    const request = post({ query: 'query Parts { thing { id ... @defer { name } } }' }, { ...json, accept });
    // Planned in one piece when it is prepared, and in parts when it is known who asks.
    const prepared = prepare(graph.supergraph, 'query Parts { thing { id ... @defer { name } } }', undefined);
    expect(prepared.ok).toBe(true);
    planner.buildQueryPlan = () => {
      throw new Error('no path from 10.0.0.7');
    };
    try {
      const answer = await ask(lanes, request);
      expect([answer.status, answer.throughApollo]).toEqual([500, true]);
      expect(answer.summaries).toMatchObject([{ codes: ['INTERNAL_SERVER_ERROR'] }]);
      expect(answer.text).not.toContain('10.0.0.7');
    } finally {
      planner.buildQueryPlan = buildQueryPlan;
    }
  });

  test('a token that does not hold', async () => {
    const { again } = await compare(post({ query: '{ thing { id } }' }), true);
    expect([again.status, again.throughApollo, again.fetches]).toEqual([401, true, 0]);
  });
});
