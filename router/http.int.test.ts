// The router from outside: what each kind of bad request is answered, what partial data looks like, and that nothing leaks.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ REQUEST_BODY_LIMIT_BYTES: '20000', SUBGRAPH_RESPONSE_LIMIT_BYTES: '1000000' });
});
afterAll(() => router.close());

async function post(
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; codes: unknown[]; text: string }> {
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  const { errors = [] } = JSON.parse(text) as { errors?: { extensions?: { code?: unknown } }[] };
  return { status: response.status, codes: errors.map(({ extensions }) => extensions?.code), text };
}

describe('a bad request', () => {
  test.each([
    ['malformed JSON', '{"query": ', 400, 'BAD_REQUEST'],
    ['an empty body', '', 400, 'BAD_REQUEST'],
    ['JSON that is no object', '"{ users { id } }"', 400, 'BAD_REQUEST'],
    ['a batch', '[{"query":"{ users { id } }"}]', 400, 'BATCH_LIMIT'],
    ['no query', '{"variables":{}}', 400, 'BAD_REQUEST'],
    ['variables that are no object', '{"query":"{ users { id } }","variables":"x"}', 400, 'BAD_REQUEST'],
    ['a syntax error', '{"query":"{ users"}', 400, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{"query":"{ nothing }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'an unknown operation',
      '{"query":"query A { users { id } }","operationName":"B"}',
      400,
      'OPERATION_RESOLUTION_FAILURE',
    ],
    ['a missing variable', '{"query":"query ($n: Int!) { echo(number: $n) }"}', 400, 'BAD_USER_INPUT'],
    [
      'a variable out of range',
      '{"query":"query ($n: Int!) { echo(number: $n) }","variables":{"n":3000000000}}',
      400,
      'BAD_USER_INPUT',
    ],
    ['a body over the limit', `{"query":"{ users { id } } ${'#'.repeat(30_000)}"}`, 413, 'PAYLOAD_TOO_LARGE'],
    [
      'too deep an operation',
      `{"query":"{ users { ${'reviews { author { '.repeat(20)} id ${'} }'.repeat(20)} } }"}`,
      400,
      'MAX_DEPTH_LIMIT',
    ],
  ])('with %s', async (_name, body, status, code) => {
    const answer = await post(body);
    expect({ status: answer.status, codes: answer.codes }).toEqual({ status, codes: [code] });
    expect(answer.text).not.toMatch(/at .*\.[jt]s|node_modules/);
  });

  test('whose body is over the limit without saying so is cut off with the same answer', async () => {
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('x'.repeat(5_000)));
      },
    });
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    }).catch((error: unknown) => error);
    // The client may see the end of the connection before the answer, but never success.
    expect(response instanceof Response ? response.status : 413).toBe(413);
  });

  test('that a page of another site can send without asking is refused (CSRF)', async () => {
    const plain = await post('{"query":"{ users { id } }"}', { 'content-type': 'text/plain' });
    expect([plain.status, plain.codes]).toEqual([415, ['UNSUPPORTED_MEDIA_TYPE']]);
    const get = (headers: Readonly<Record<string, string>>): Promise<Response> =>
      fetch(`${router.url}?query=${encodeURIComponent('{ users { id } }')}`, { headers });
    const refused = await get({ origin: 'http://elsewhere.example' });
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { errors: [{ extensions: { code: 'CROSS_SITE_REQUEST' } }] },
    ]);
    expect((await get({ origin: router.origin })).status).toBe(200);
    const stream = { origin: 'http://elsewhere.example', accept: 'text/event-stream' };
    expect((await get(stream)).status).toBe(403);
  });

  test('at an unknown address is answered 404', async () => {
    expect((await fetch(`${router.origin}/nowhere`)).status).toBe(404);
    expect((await fetch(`${router.origin}/graphiql/../../package.json`)).status).toBe(404);
  });

  test('with another method is answered 405', async () => {
    const response = await fetch(router.url, { method: 'DELETE', headers: { 'content-type': 'application/json' } });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });
});

describe('a good request', () => {
  test('with an empty operation name has none, whichever way it goes', async () => {
    const body = { query: '{ users { id } }', operationName: '' };
    for (const json of [JSON.stringify(body), JSON.stringify({ ...body, extensions: { client: 'x' } })]) {
      expect(await post(json)).toMatchObject({ status: 200, codes: [] });
    }
    const get = await fetch(`${router.url}?${new URLSearchParams(body).toString()}`);
    expect([get.status, await get.json()]).toEqual([200, { data: { users: [{ id: '1' }, { id: '2' }] } }]);
  });

  test('is completed from several subgraphs', async () => {
    const answer = await router.ask(
      'query Q($id: ID!) { users { name reviews { text author { name } } } node(id: $id) { id } }',
      {
        variables: { id: '2' },
        token: await router.token({ sub: 'ada' }),
      },
    );
    expect(answer).toEqual({
      status: 200,
      errors: [],
      data: {
        users: [
          { name: 'Ada', reviews: [{ text: 'by 1', author: { name: 'Ada' } }] },
          { name: 'Bo', reviews: [{ text: 'by 2', author: { name: 'Bo' } }] },
        ],
        node: { id: '2' },
      },
    });
  });

  test('may be a GET for a query, never for a mutation', async () => {
    const get = (query: string): Promise<Response> =>
      fetch(`${router.url}?query=${encodeURIComponent(query)}`, { headers: { 'apollo-require-preflight': '1' } });
    expect(await (await get('{ echo(number: 3) }')).json()).toEqual({ data: { echo: 3 } });
    expect((await get('mutation { rename(id: 1, name: "x") { id } }')).status).toBe(405);
  });

  test('hands on the token and the trace context', async () => {
    const token = await router.token({ sub: 'ada' });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    await router.ask('{ me { id } }', { token, headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    expect(router.seen.at(-1)).toMatchObject({
      authorization: `Bearer ${token}`,
      traceparent: expect.stringContaining(traceId),
    });
  });

  test('that the router can answer itself asks no subgraph', async () => {
    const asked = router.seen.length;
    expect((await router.ask('{ __typename }')).data).toEqual({ __typename: 'Query' });
    expect(router.seen.length).toBe(asked);
  });

  test('for the schema is answered, without insides', async () => {
    const { data } = await router.ask('{ __schema { types { name } directives { name } } }');
    const text = JSON.stringify(data);
    expect(text).toContain('Review');
    expect(text).not.toMatch(/join__|link__|_Service|requiresScopes/);
  });
});

describe('identity', () => {
  test('a token that does not hold is answered 401', async () => {
    const expired = await router.token({ sub: 'ada', expiresAt: 1 });
    for (const token of ['nonsense', expired, `${await router.token({ sub: 'ada' })}x`]) {
      const answer = await router.ask('{ users { id } }', { token });
      expect([answer.status, answer.errors.map(({ extensions }) => extensions['code'])]).toEqual([
        401,
        ['UNAUTHENTICATED'],
      ]);
    }
    const headers = { 'content-type': 'application/json', authorization: 'Basic eDp5' };
    const refused = await fetch(router.url, { method: 'POST', headers, body: '{"query":"{ users { id } }"}' });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  test('what a viewer may not have is null, with an error that names it, and is not asked for', async () => {
    const answer = await router.ask('{ users { name email } me { id } }');
    expect(answer).toEqual({
      status: 200,
      data: {
        users: [
          { name: 'Ada', email: null },
          { name: 'Bo', email: null },
        ],
        me: null,
      },
      errors: [
        { message: expect.any(String), path: ['users', '@', 'email'], extensions: { code: 'UNAUTHENTICATED' } },
        { message: expect.any(String), path: ['me'], extensions: { code: 'UNAUTHENTICATED' } },
      ],
    });
  });

  test('the null of a field that is never null rises', async () => {
    const answer = await router.ask('{ users { secret } }', { token: await router.token({ sub: 'ada' }) });
    expect(answer.data).toBeNull();
    expect(answer.errors).toMatchObject([{ path: ['users', '@', 'secret'], extensions: { code: 'FORBIDDEN' } }]);
  });

  test('scopes open what asks for them', async () => {
    const token = await router.token({ sub: 'ada', scope: 'secrets:read other' });
    expect((await router.ask('{ users { secret } }', { token })).data).toEqual({
      users: [{ secret: 'hidden' }, { secret: 'hidden' }],
    });
  });

  test('a mutation that is not allowed whole is not run at all', async () => {
    const asked = router.seen.length;
    const answer = await router.ask('mutation { rename(id: 1, name: "x") { id } remove(id: 1) }', {
      token: await router.token({ sub: 'ada' }),
    });
    expect(answer).toMatchObject({ data: null, errors: [{ path: ['remove'], extensions: { code: 'FORBIDDEN' } }] });
    expect(router.seen.length).toBe(asked);
  });
});

describe('errors of subgraphs', () => {
  test('are masked unless their code is known', async () => {
    const answer = await router.ask('{ failing coded users { id } }');
    expect(answer.data).toEqual({ failing: null, coded: null, users: [{ id: '1' }, { id: '2' }] });
    expect(answer.errors).toEqual([
      {
        message: 'Something went wrong here; it has been logged.',
        path: ['failing'],
        extensions: { code: 'INTERNAL_SERVER_ERROR' },
      },
      { message: 'You have none.', path: ['coded'], extensions: { code: 'NOT_FOUND', argument: 'x' } },
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/10\.0\.0\.7|stack|secret\.ts/);
  });

  test('that take too long leave the rest of the data', async () => {
    const impatient = await startTestRouter({ REQUEST_TIMEOUT_MS: '300' });
    const answer = await impatient.ask('{ slow __typename }').finally(() => impatient.close());
    expect(answer).toMatchObject({
      status: 200,
      data: { slow: null, __typename: 'Query' },
      errors: [{ extensions: { code: 'TIMEOUT' } }],
    });
  });

  test('that answer too much are cut off', async () => {
    const answer = await router.ask('{ huge }');
    expect(answer).toMatchObject({ data: { huge: null }, errors: [{ extensions: { code: 'RESPONSE_TOO_LARGE' } }] });
  });
});

describe('operations of the process', () => {
  test('health and metrics are served', async () => {
    expect(await (await fetch(`${router.origin}/health/live`)).json()).toEqual({ status: 'live' });
    for (const path of ['/health', '/health/ready']) {
      const ready = await fetch(`${router.origin}${path}`);
      expect([ready.status, await ready.json()]).toMatchObject([
        200,
        { status: 'ready', checks: { supergraph: expect.any(String) } },
      ]);
    }
    await router.ask('query Named { users { id } }');
    const text = await (await fetch(`${router.origin}/metrics`)).text();
    expect(text).toContain('router_operations_total{kind="query",name="Named",outcome="ok",service="router"} 1');
    expect(text).toMatch(/router_subgraph_fetches_total\{subgraph="users",outcome="ok"/);
  });

  test('CORS is closed by default', async () => {
    const headers = { origin: 'https://example.org', 'content-type': 'application/json' };
    const response = await fetch(router.url, { method: 'POST', headers, body: '{"query":"{ users { id } }"}' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('pages', () => {
  test('a browser is given Sandbox with this endpoint, under a strict policy', async () => {
    const response = await fetch(router.url, { headers: { accept: 'text/html,*/*;q=0.8' } });
    const html = await response.text();
    const policy = response.headers.get('content-security-policy') ?? '';
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? 'none';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(html).toContain(`<script nonce="${nonce}" src="https://embeddable-sandbox.cdn.apollographql.com/`);
    expect(html).toContain('initialSubscriptionEndpoint');
    expect(html).toContain('/graphiql');
  });

  test('the explorer and all that it loads come from here', async () => {
    const response = await fetch(`${router.origin}/graphiql`);
    const html = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("connect-src 'self'");
    expect(html).not.toMatch(/(src|href)="https?:/);
    const assets = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)]
      .map((match) => match[1] ?? '')
      .filter((path) => !path.endsWith('/'));
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets)
      expect([asset, (await fetch(`${router.origin}/graphiql/${asset}`)).status]).toEqual([asset, 200]);
  });
});

describe('with other settings', () => {
  test('a subgraph that is down leaves the data of the others', async () => {
    const other = await startTestRouter();
    try {
      await other.stopReviews();
      const answer = await other.ask('{ users { name reviews { text } } }');
      expect(answer).toMatchObject({
        status: 200,
        data: {
          users: [
            { name: 'Ada', reviews: null },
            { name: 'Bo', reviews: null },
          ],
        },
      });
      expect(answer.errors[0]?.extensions['code']).toBe('SERVICE_UNAVAILABLE');
      expect(JSON.stringify(answer.errors)).not.toMatch(/127\.0\.0\.1|ECONN/);
    } finally {
      await other.close();
    }
  });

  test('AUTH_MODE=off enforces nothing, PAGES=off serves no pages, CORS_ORIGINS lets pages of those origins in', async () => {
    const other = await startTestRouter({
      AUTH_MODE: 'off',
      PAGES: 'off',
      INTROSPECTION: 'off',
      CORS_ORIGINS: 'https://a.example',
    });
    try {
      expect((await other.ask('{ me { email } }')).data).toEqual({ me: { email: '1@example.org' } });
      expect((await other.ask('{ __schema { description } }')).status).toBe(400);
      expect((await fetch(`${other.origin}/graphiql`)).status).toBe(404);
      const preflight = (origin: string): Promise<Response> =>
        fetch(other.url, { method: 'OPTIONS', headers: { origin } });
      expect((await preflight('https://a.example')).headers.get('access-control-allow-origin')).toBe(
        'https://a.example',
      );
      expect((await preflight('https://b.example')).headers.get('access-control-allow-origin')).toBeNull();
    } finally {
      await other.close();
    }
  });
});
