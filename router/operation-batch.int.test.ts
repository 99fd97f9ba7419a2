// Questions of several viewers to one subgraph: in one request once it has said that it takes that, one by one otherwise.
import { afterEach, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createLog } from '../service/log.ts';
import { operationBatchType } from '../service/operation-batch.ts';
import { composeSupergraph } from '../schema/compose.ts';
import { createForwardHeaders } from './forwarded-headers.ts';
import { toOperationBatches } from './operation-batch.ts';
import type { Asked } from './operation-batch.ts';
import { createSubgraphClient } from './subgraph-client.ts';
import type { SubgraphClient } from './subgraph-client.ts';
import { loadSupergraph } from './supergraph.ts';
import type { Supergraph } from './supergraph.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Operation {
  readonly authorization?: string;
  readonly traceparent?: string;
  readonly variables: { readonly id: string };
}
const answerOf = (operation: Operation) => ({ data: { id: operation.variables.id, as: operation.authorization } });

/** A client of a subgraph that answers as it is told; `batches` are the sizes of what it was asked. */
async function start(answer: (request: IncomingMessage, body: unknown, response: ServerResponse) => unknown) {
  const asked: { readonly type: string | undefined; readonly size: number }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await json(request);
      asked.push({ type: request.headers['content-type'], size: Array.isArray(body) ? body.length : 1 });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer(request, body, response)));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const { supergraphSdl } = composeSupergraph([{ name: 'one', url, sdl: 'type Query { a: Int }' }]);
  const supergraph = loadSupergraph(supergraphSdl);
  const client = createSubgraphClient({
    limitsOf: () => ({
      timeoutMs: 5_000,
      concurrency: 2,
      queue: 100,
      retries: 0,
      retryPercent: 0,
      breakerPercent: 100,
      breakerOpenMs: 1_000,
      maxResponseBytes: 1_000_000,
      isSharing: false,
    }),
    maxBroughtBytes: 1_000_000,
    retireAfterMs: 1_000,
    log: createLog('test', 'silent'),
    metrics: { fetch: () => undefined, retried: () => undefined, circuit: () => undefined },
  });
  client.use(supergraph);
  closing.push(() => client.close());
  return { client, supergraph, asked };
}

const question = (sub: string, id: string, supergraph: Supergraph): Asked => ({
  request: {
    subgraph: 'one',
    query: 'query ($id: ID!) { a }',
    operationName: undefined,
    variables: { id },
    kind: 'query',
  },
  context: { viewer: { sub, token: `token-${sub}`, scopes: new Set(), expiresAt: 0 }, supergraph },
});
const askAll = (client: SubgraphClient, asked: readonly Asked[]) =>
  Promise.all(client.fetchTogether(asked).map((each) => each.catch((error: unknown) => ({ failed: error }))));

/** As our subgraphs answer. */
const capable = (request: IncomingMessage, body: unknown, response: ServerResponse): unknown => {
  response.setHeader('accept-post', `application/json, ${operationBatchType}`);
  return Array.isArray(body)
    ? body.map((each) => answerOf(each as Operation))
    : answerOf({ ...(body as Operation), authorization: request.headers.authorization ?? '' });
};

test('each goes with the token of its viewer, and each gets its own answer', async () => {
  const { client, supergraph, asked } = await start(capable);
  const questions = ['alice', 'bob', 'carol'].map((sub) => question(sub, `of ${sub}`, supergraph));
  const expected = ['alice', 'bob', 'carol'].map((sub) => ({ data: { id: `of ${sub}`, as: `Bearer token-${sub}` } }));
  expect(client.takesTogether('one', supergraph)).toBe(false);
  expect(await askAll(client, questions)).toEqual(expected);
  expect(client.takesTogether('one', supergraph)).toBe(true);
  expect(await askAll(client, questions)).toEqual(expected);
  const single = { type: 'application/json', size: 1 };
  expect(asked).toEqual([single, single, single, { type: operationBatchType, size: 3 }]);
});

test('a subgraph that says nothing is asked one by one', async () => {
  const { client, supergraph, asked } = await start((_request, body) => answerOf(body as Operation));
  await askAll(client, [question('alice', 'a', supergraph)]);
  await askAll(
    client,
    ['alice', 'bob'].map((sub) => question(sub, 'a', supergraph)),
  );
  expect(client.takesTogether('one', supergraph)).toBe(false);
  expect(asked.map(({ size }) => size)).toEqual([1, 1, 1]);
});

test('one that does not take it any more, as after a roll-back, is asked one by one at once', async () => {
  let rolledBack = false;
  const { client, supergraph, asked } = await start((request, body, response) => {
    if (!rolledBack) return capable(request, body, response);
    if (!Array.isArray(body))
      return answerOf({ ...(body as Operation), authorization: request.headers.authorization ?? '' });
    response.statusCode = 415;
    return { errors: [{ message: 'no' }] };
  });
  await askAll(client, [question('alice', 'a', supergraph)]);
  rolledBack = true;
  const answers = await askAll(
    client,
    ['alice', 'bob'].map((sub) => question(sub, sub, supergraph)),
  );
  expect(answers).toEqual(['alice', 'bob'].map((sub) => ({ data: { id: sub, as: `Bearer token-${sub}` } })));
  expect(asked.map(({ size }) => size)).toEqual([1, 2, 1, 1]);
  expect(client.takesTogether('one', supergraph)).toBe(false);
});

test('what fails for one fails for that one; a subgraph that is down fails for all', async () => {
  let down = false;
  const { client, supergraph } = await start((request, body, response) => {
    if (down) {
      response.statusCode = 503;
      return { errors: [{ message: 'down' }] };
    }
    if (!Array.isArray(body)) return capable(request, body, response);
    return (capable(request, body, response) as unknown[]).toSpliced(1, 1, { errors: [{ message: 'no' }] });
  });
  await askAll(client, [question('alice', 'a', supergraph)]);
  const questions = ['alice', 'bob'].map((sub) => question(sub, sub, supergraph));
  expect(await askAll(client, questions)).toEqual([
    { data: { id: 'alice', as: 'Bearer token-alice' } },
    { errors: [{ message: 'no' }] },
  ]);
  down = true;
  const unavailable = { failed: expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }) };
  expect(await askAll(client, questions)).toEqual([unavailable, unavailable]);
});

test('headers that go on are those of the request, so what differs in them is asked in another', async () => {
  const seen: unknown[] = [];
  const { client, supergraph, asked } = await start((request, body, response) => {
    seen.push(request.headers['x-tenant']);
    return capable(request, body, response);
  });
  await askAll(client, [question('alice', 'a', supergraph)]);
  const pick = createForwardHeaders(['x-tenant']);
  const of = (sub: string, tenant?: string): Asked => {
    const { request, context } = question(sub, sub, supergraph);
    return { request, context: { ...context, forwarded: pick({ 'x-tenant': tenant }) } };
  };
  const answers = await askAll(client, [of('a', 'one'), of('b', 'one'), of('c', 'two'), of('d'), of('e', 'two')]);
  expect(answers).toMatchObject(['a', 'b', 'c', 'd', 'e'].map((id) => ({ data: { id } })));
  expect(seen.slice(1).toSorted()).toEqual(['one', 'two', 'two', undefined]);
  expect(
    asked
      .slice(1)
      .map(({ size }) => size)
      .toSorted(),
  ).toEqual([1, 1, 1, 2]);
});

test('many are split so that no body is over what a subgraph takes', () => {
  const supergraph = {} as Supergraph;
  const sizes = (count: number, id: string) =>
    toOperationBatches(Array.from({ length: count }, () => question('alice', id, supergraph))).map(
      ({ asked, body }) => {
        expect(JSON.parse(body)).toHaveLength(asked.length);
        return asked.length;
      },
    );
  expect(sizes(3, 'a')).toEqual([3]);
  expect(sizes(600, 'a')).toEqual([250, 250, 100]);
  expect(sizes(3, 'x'.repeat(300_000))).toEqual([1, 1, 1]);
});
