// @defer over HTTP, with the real Apollo Client, in both protocols that it speaks.
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { incrementalProtocolOf } from './incremental.ts';
import { startTestRouter, type TestRouter } from './test-router.ts';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter();
});
afterAll(() => router.close());

const later = { accept: 'multipart/mixed;deferSpec=20220824, application/json' };

/** The pieces of a multipart answer. */
const pieces = async (query: string, headers: Readonly<Record<string, string>> = later) => {
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  const parts = text.split('\r\n---').slice(1);
  expect(parts.at(-1)).toBe('--\r\n');
  return {
    type: response.headers.get('content-type'),
    parts: parts.slice(0, -1).map((part) => JSON.parse(part.slice(part.indexOf('\r\n\r\n'))) as object),
  };
};

describe.each([
  ['deferSpec=20220824', new Defer20220824Handler()],
  ['incrementalSpec=v0.2', new GraphQL17Alpha9Handler()],
])('Apollo Client with %s', (_, incrementalHandler) => {
  const client = () =>
    new ApolloClient({
      link: new HttpLink({ uri: router.url }),
      cache: new InMemoryCache(),
      incrementalHandler: incrementalHandler as Defer20220824Handler,
    });

  test('puts the parts together', async () => {
    const results: unknown[] = [];
    const observable = client().watchQuery({
      query: gql`
        query Users {
          users {
            id
            name
            ... @defer(label: "reviews") {
              reviews {
                text
              }
            }
          }
        }
      `,
    });
    await new Promise<void>((resolve) => {
      observable.subscribe(({ data, dataState }) => {
        if (dataState !== 'empty') results.push(JSON.parse(JSON.stringify(data)));
        if (dataState === 'complete') resolve();
      });
    });
    const user = (id: string, name: string) => ({ __typename: 'User', id, name });
    expect(results.at(-1)).toEqual({
      users: [
        { ...user('1', 'Ada'), reviews: [{ __typename: 'Review', text: 'by 1' }] },
        { ...user('2', 'Bo'), reviews: [{ __typename: 'Review', text: 'by 2' }] },
      ],
    });
  });

  test('is told an error of a part, with the data of the others', async () => {
    const errors: string[] = [];
    const observable = client().watchQuery({
      query: gql`
        query Failing {
          users {
            id
          }
          ... @defer(label: "failing") {
            coded
          }
        }
      `,
      errorPolicy: 'all',
    });
    await new Promise<void>((resolve) => {
      observable.subscribe(({ error }) => {
        if (!error) return;
        errors.push(error.message);
        resolve();
      });
    });
    expect(errors).toEqual(['You have none.']);
  });
});

describe('the response', () => {
  test('of deferSpec=20220824', async () => {
    expect(await pieces('{ users { id ... @defer(label: "r") { rating } } }')).toEqual({
      type: 'multipart/mixed; boundary="-"; deferSpec=20220824',
      parts: [
        { data: { users: [{ id: '1' }, { id: '2' }] }, hasNext: true },
        {
          incremental: [
            { data: { rating: 5 }, path: ['users', 0], label: 'r' },
            { data: { rating: 5 }, path: ['users', 1], label: 'r' },
          ],
          hasNext: false,
        },
      ],
    });
  });

  test('of incrementalSpec=v0.2', async () => {
    const headers = { accept: 'multipart/mixed;incrementalSpec=v0.2' };
    expect(await pieces('{ users { id } ... @defer(label: "r") { failing } }', headers)).toEqual({
      type: 'multipart/mixed; boundary="-"; incrementalSpec=v0.2',
      parts: [
        {
          data: { users: [{ id: '1' }, { id: '2' }] },
          pending: [{ id: '0', path: [], label: 'r' }],
          hasNext: true,
        },
        {
          incremental: [
            {
              id: '0',
              data: { failing: null },
              errors: [
                {
                  message: 'Something went wrong here; it has been logged.',
                  path: ['failing'],
                  extensions: { code: 'INTERNAL_SERVER_ERROR' },
                },
              ],
            },
          ],
          completed: [{ id: '0' }],
          hasNext: false,
        },
      ],
    });
  });

  test('is one answer for a client that asks for no pieces, and where nothing is deferred', async () => {
    const query = '{ users { id ... @defer { rating } } }';
    const data = {
      users: [
        { id: '1', rating: 5 },
        { id: '2', rating: 5 },
      ],
    };
    expect((await router.ask(query)).data).toEqual(data);
    expect((await router.ask('{ users { id ... @defer(if: false) { rating } } }', { headers: later })).data).toEqual(
      data,
    );
    const url = `${router.url}?query=${encodeURIComponent(query)}`;
    const headers = { ...later, 'apollo-require-preflight': 'true' };
    expect(await (await fetch(url, { headers })).json()).toEqual({ data });
  });

  test('goes out piece by piece, and ends with a client that has gone', async () => {
    const controller = new AbortController();
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...later },
      body: JSON.stringify({ query: 'query Gone { users { id } ... @defer { slow } }' }),
      signal: controller.signal,
    });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? '').toString()).toContain('"data":{"users":[{"id":"1"},{"id":"2"}]}');
    controller.abort();
    expect(await outcomeOf('Gone')).toBe('ok');
  });

  test('that is whole, and whose client has gone, is no failure either', async () => {
    const controller = new AbortController();
    const asked = fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'query WholeGone { users { id } slow }' }),
      signal: controller.signal,
    });
    const before = router.seen.length;
    while (router.seen.length === before) await new Promise(setImmediate);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(await outcomeOf('WholeGone')).toBe('ok');
  });

  /** As what an operation is counted, once nothing more of it will be written. */
  async function outcomeOf(name: string): Promise<string | undefined> {
    for (;;) {
      const metrics = await (await fetch(`${router.origin}/metrics`)).text();
      const labels = new RegExp(`^router_operations_total\\{([^}]*name="${name}"[^}]*)\\}`, 'm').exec(metrics)?.[1];
      if (labels !== undefined) return /outcome="([^"]*)"/.exec(labels)?.[1];
    }
  }
});

describe('what comes before', () => {
  test.each([
    ['a label that is a variable', 'query($l: String) { users { id ... @defer(label: $l) { rating } } }'],
    ['one label twice', '{ users { ... @defer(label: "x") { id } ... @defer(label: "x") { rating } } }'],
    ['deferring at the root of a mutation', 'mutation { ... @defer { remove(id: 1) } }'],
  ])('refuses %s', async (_, query) => {
    const { errors } = await router.ask(query, { headers: later });
    expect(errors[0]?.extensions['code']).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  test('is authorisation: what may be had in part only comes in one piece, and nothing refused is told later', async () => {
    const { data, errors } = await router.ask('{ users { id ... @defer { email } } }', { headers: later });
    expect(data).toEqual({
      users: [
        { id: '1', email: null },
        { id: '2', email: null },
      ],
    });
    expect(errors[0]?.extensions['code']).toBe('UNAUTHENTICATED');
  });

  test('is introspection, which lists @defer', async () => {
    const { data } = await router.ask('{ __schema { directives { name args { name } } } }');
    const { directives } = (data as { __schema: { directives: { name: string }[] } }).__schema;
    expect(directives).toContainEqual({ name: 'defer', args: [{ name: 'label' }, { name: 'if' }] });
  });
});

test.each([
  ['multipart/mixed;deferSpec=20220824, application/json', 'deferSpec'],
  ['application/json, multipart/mixed; boundary="-"; incrementalSpec=v0.2', 'incrementalSpec'],
  ['Multipart/Mixed;DeferSpec=20220824', 'deferSpec'],
  ['multipart/mixed', undefined],
  ['multipart/mixed;deferSpec=20220824;q=0', undefined],
  ['multipart/mixed;subscriptionSpec=1.0', undefined],
  ['application/json', undefined],
])('accept: %s', (accept, spec) => {
  const type = incrementalProtocolOf(accept)?.contentType;
  if (spec === undefined) expect(type).toBeUndefined();
  else expect(type).toContain(spec);
});
