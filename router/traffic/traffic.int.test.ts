// A subgraph in trouble, seen from the client: what is answered, what the others still give, what is asked again, and what never leaks.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { startTestRouter } from '../test-router.ts';
import type { TestRouter } from '../test-router.ts';
import { reply, startScriptedSubgraph } from '../test-scripted-subgraph.ts';
import type { Script, ScriptedSubgraph } from '../test-scripted-subgraph.ts';

let reviews: ScriptedSubgraph;

beforeAll(async () => {
  reviews = await startScriptedSubgraph();
});
afterAll(() => reviews.stop());

const question = '{ users { name reviews { text } } }';
const names = [{ name: 'Ada' }, { name: 'Bo' }];
const good: Script = (response, { variables }) =>
  reply(response, {
    data: { _entities: (variables?.representations ?? []).map(() => ({ reviews: [{ text: 'fine' }] })) },
  });
/** `first` once, then `then`. */
const inTurn = (first: Script, then: Script): Script => {
  let isFirst = true;
  return (...args) => {
    const script = isFirst ? first : then;
    isFirst = false;
    script(...args);
  };
};

/** A router whose reviews are the scripted subgraph. */
async function withRouter(
  env: Readonly<Record<string, string>>,
  use: (router: TestRouter) => Promise<void>,
): Promise<void> {
  const router = await startTestRouter({ SUBGRAPH_URL_REVIEWS: reviews.url, ...env });
  try {
    await use(router);
  } finally {
    await router.close();
  }
}

const metrics = async (router: TestRouter): Promise<string> => (await fetch(`${router.origin}/metrics`)).text();

describe('a subgraph that is in trouble', () => {
  let router: TestRouter;
  beforeAll(async () => {
    router = await startTestRouter({ SUBGRAPH_URL_REVIEWS: reviews.url, SUBGRAPH_BREAKER_PERCENT: '100' });
  });
  afterAll(() => router.close());

  test('is asked again when it turns a query away for a moment', async () => {
    reviews.play(inTurn((response) => response.writeHead(503, { 'retry-after': '0' }).end(), good));
    const { errors, data } = await router.ask(question);
    expect(errors).toEqual([]);
    expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: [{ text: 'fine' }] })) });
    expect(reviews.asked()).toBe(2);
    expect(await metrics(router)).toMatch(/router_subgraph_retries_total\{subgraph="reviews",.*\} 1/);
  });

  test('is asked again when it breaks the connection', async () => {
    reviews.play(inTurn((response) => response.destroy(), good));
    expect((await router.ask(question)).errors).toEqual([]);
  });

  test('is left alone when it asks for more time than there is', async () => {
    reviews.play((response) => response.writeHead(429, { 'retry-after': '3600' }).end());
    const { data, errors } = await router.ask(question);
    expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: null })) });
    expect(errors.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
      [['users', 0, 'reviews'], 'SERVICE_UNAVAILABLE'],
      [['users', 1, 'reviews'], 'SERVICE_UNAVAILABLE'],
    ]);
    expect(reviews.asked()).toBe(1);
  });

  const secrets = /10\.0\.0\.7|secret|postgres|127\.0\.0\.1|ECONN|\.internal|node_modules|at \w+ \(/i;
  test.each<[string, Script]>([
    ['an error page', (response) => response.writeHead(500).end('<h1>secret at 10.0.0.7</h1>')],
    ['JSON that is no response', (response) => reply(response, { secret: 'postgres://10.0.0.7' }, 500)],
    ['a broken connection', (response) => response.destroy()],
    [
      'an error with stack and message',
      (response) =>
        reply(response, {
          data: null,
          errors: [
            {
              message: 'connect ECONNREFUSED 10.0.0.7:5432',
              extensions: {
                code: 'INTERNAL_SERVER_ERROR',
                stacktrace: ['Error: secret', 'at query (/srv/node_modules/pg/lib.js:1)'],
              },
            },
          ],
        }),
    ],
    [
      'an error with a code that is not listed',
      (response) =>
        reply(response, { errors: [{ message: 'postgres is out of secret', extensions: { code: 'DB_POSTGRES' } }] }),
    ],
    [
      'a listed code with insides beside it',
      (response) =>
        reply(response, {
          errors: [
            {
              message: 'You have none.',
              extensions: {
                code: 'NOT_FOUND',
                exception: { stacktrace: ['secret'] },
                serviceName: 'reviews.internal',
                url: 'http://10.0.0.7',
                query: 'secret',
              },
            },
          ],
        }),
    ],
    ['status 503 with a message', (response) => reply(response, { errors: [{ message: 'secret' }] }, 503)],
  ])('leaks nothing through %s', async (_name, script) => {
    reviews.play(script);
    const { data, errors } = await router.ask(question);
    expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: null })) });
    expect(errors.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toMatch(secrets);
  });

  test('leaks nothing when nobody listens at its address', async () => {
    const gone = await startScriptedSubgraph();
    await gone.stop();
    await withRouter({ SUBGRAPH_URL_REVIEWS: gone.url }, async (other) => {
      const { data, errors } = await other.ask(question);
      expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: null })) });
      expect(errors[0]?.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE' });
      expect(JSON.stringify(errors)).not.toMatch(secrets);
    });
  });
});

describe('a subgraph with a time-out of its own', () => {
  const impatient = { SUBGRAPH_TIMEOUT_MS_REVIEWS: '300' };
  const late = { users: names.map((user) => ({ ...user, reviews: null })) };

  test('has that time, and the others theirs', async () => {
    reviews.play(() => undefined);
    await withRouter(impatient, async (router) => {
      const { data, errors } = await router.ask(question);
      expect(data).toEqual(late);
      expect(new Set(errors.map(({ extensions }) => extensions['code']))).toEqual(new Set(['TIMEOUT']));
    });
  });

  test('may not trickle its answer for longer than that', async () => {
    reviews.play((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(timer));
    });
    await withRouter(impatient, async (router) => {
      const { data, errors } = await router.ask(question);
      expect(data).toEqual(late);
      expect(new Set(errors.map(({ extensions }) => extensions['code']))).toEqual(new Set(['TIMEOUT']));
    });
  });
});

test('a mutation is never asked twice once it may have reached the subgraph', async () => {
  const users = await startScriptedSubgraph();
  try {
    users.play((response) => response.writeHead(503, { 'retry-after': '0' }).end());
    await withRouter({ SUBGRAPH_URL_USERS: users.url }, async (router) => {
      const { errors } = await router.ask('mutation { rename(id: 1, name: "x") { id } }');
      expect(errors[0]?.extensions['code']).toBe('SERVICE_UNAVAILABLE');
      expect(users.asked()).toBe(1);
    });
  } finally {
    await users.stop();
  }
});

test('a subgraph that fails again and again is not asked for a while, and the others are', async () => {
  reviews.play((response) => response.destroy());
  await withRouter({ SUBGRAPH_RETRIES: '0', SUBGRAPH_BREAKER_OPEN_MS: '600000' }, async (router) => {
    for (let at = 0; at < 25; at++) await router.ask(question);
    expect(reviews.asked()).toBe(20);
    const { data, errors } = await router.ask(question);
    expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: null })) });
    expect(errors[0]?.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE' });
    const figures = await metrics(router);
    expect(figures).toMatch(/router_subgraph_circuit_open\{subgraph="reviews",.*\} 1/);
    expect(figures).toMatch(/router_subgraph_fetches_total\{subgraph="reviews",outcome="circuit-open",.*\} 6/);
  });
});

describe('an answer that is too large', () => {
  /** Answers with so many bytes in all. */
  const sized =
    (bytes: number): Script =>
    (response, { variables }) => {
      const entities = (variables?.representations ?? []).map(() => ({ reviews: [{ text: '' }] }));
      const text = JSON.stringify({ data: { _entities: entities } });
      response.writeHead(200, { 'content-type': 'application/json' }).end(text.padEnd(bytes));
    };
  const without = { users: names.map((user) => ({ ...user, reviews: null })) };

  test('is refused with its code, the others give their data, and the circuit stays closed', async () => {
    await withRouter({ SUBGRAPH_RESPONSE_LIMIT_BYTES_REVIEWS: '2000' }, async (router) => {
      reviews.play(sized(2_001));
      for (let at = 0; at < 25; at++) {
        const { status, data, errors } = await router.ask(question);
        expect({ status, data }).toEqual({ status: 200, data: without });
        expect(new Set(errors.map(({ extensions }) => extensions['code']))).toEqual(new Set(['RESPONSE_TOO_LARGE']));
      }
      reviews.play(sized(2_000));
      expect((await router.ask(question)).errors).toEqual([]);
      const fetches = /router_subgraph_fetches_total\{subgraph="reviews",outcome="too-large",.*\} 25/;
      expect(await metrics(router)).toMatch(fetches);
    });
  });

  test('is refused too where it is so together with the others of its operation', async () => {
    await withRouter({ OPERATION_RESPONSE_LIMIT_BYTES: '4000' }, async (router) => {
      reviews.play(sized(3_800));
      // Each operation counts for itself.
      for (let at = 0; at < 2; at++) expect((await router.ask(question)).errors).toEqual([]);
      reviews.play(sized(4_000));
      const { data, errors } = await router.ask(question);
      expect(data).toEqual(without);
      expect(errors[0]?.extensions['code']).toBe('RESPONSE_TOO_LARGE');
    });
  });
});

test('a subgraph that hangs holds so many requests and no more', async () => {
  const held: ServerResponse[] = [];
  const { promise: bothAsked, resolve } = Promise.withResolvers<undefined>();
  reviews.play((response) => {
    held.push(response);
    if (held.length === 2) resolve(undefined);
  });
  const env = { SUBGRAPH_CONNECTIONS_REVIEWS: '2', SUBGRAPH_QUEUE_REVIEWS: '0', SUBGRAPH_SHARING: 'off' };
  await withRouter(env, async (router) => {
    const hanging = [router.ask(question), router.ask(question)];
    await bothAsked;
    const { status, errors } = await router.ask(question);
    expect(status).toBe(200);
    expect(errors[0]?.extensions).toEqual({ code: 'OVERLOADED' });
    expect(await metrics(router)).toMatch(/router_subgraph_requests\{subgraph="reviews",state="running",.*\} 2/);
    expect((await router.ask('{ users { name } }')).data).toEqual({ users: names });
    for (const response of held) reply(response, { data: { _entities: [{ reviews: [] }, { reviews: [] }] } });
    expect((await Promise.all(hanging)).map(({ errors: none }) => none)).toEqual([[], []]);
  });
});

test('an operation of which nothing can be asked, because its subgraph is full, is turned away whole', async () => {
  const users = await startScriptedSubgraph();
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<ServerResponse>();
  users.play((response) => isAsked(response));
  const env = { SUBGRAPH_URL_USERS: users.url, SUBGRAPH_CONNECTIONS_USERS: '1', SUBGRAPH_QUEUE_USERS: '0' };
  try {
    await withRouter(env, async (router) => {
      const first = router.ask('{ echo(number: 1) }');
      const held = await asked;
      const query = 'mutation { rename(id: 1, name: "x") { id } }';
      const post = { method: 'POST', body: JSON.stringify({ query }) };
      for (const accept of ['application/json', 'application/graphql-response+json', '*/*']) {
        const headers = { 'content-type': 'application/json', accept };
        const shed = await fetch(router.url, { ...post, headers });
        expect([shed.status, shed.headers.get('retry-after')]).toEqual([503, '1']);
        expect(await shed.json()).toMatchObject({
          errors: [{ extensions: { code: 'OVERLOADED', retryAfter: 1 } }],
        });
      }
      reply(held, { data: { echo: 1 } });
      expect((await first).data).toEqual({ echo: 1 });
      expect(users.asked()).toBe(1);
    });
  } finally {
    await users.stop();
  }
});

describe('the same query, several times at once', () => {
  /** Answers when it is told to; says when it was asked. */
  function held() {
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    const arrivals: (() => void)[] = [];
    reviews.play((response, question, request) => {
      void released.then(() => good(response, question, request));
      arrivals.shift()?.();
    });
    return {
      arrival: () => new Promise<void>((resolve) => arrivals.push(resolve)),
      release: () => release(undefined),
    };
  }

  test('of one viewer is asked once of a subgraph, of another viewer apart', async () => {
    await withRouter({}, async (router) => {
      const { release } = held();
      const [ada, bo] = [await router.token({ sub: 'ada' }), await router.token({ sub: 'bo' })];
      const answers = [ada, ada, bo].map((token) => router.ask(question, { token }));
      while (!/subgraph="reviews",state="running".* 3\n/.test(await metrics(router))) await Promise.resolve();
      release();
      for (const { data } of await Promise.all(answers)) {
        expect(data).toEqual({ users: names.map((user) => ({ ...user, reviews: [{ text: 'fine' }] })) });
      }
      expect(reviews.asked()).toBe(2);
    });
  });

  test('is asked again once a mutation has been answered meanwhile', async () => {
    await withRouter({}, async (router) => {
      const { arrival, release } = held();
      const before = arrival();
      const old = router.ask(question);
      await before;
      expect((await router.ask('mutation { rename(id: 1, name: "x") { id } }')).errors).toEqual([]);
      const after = arrival();
      const fresh = router.ask(question);
      await after;
      release();
      expect((await fresh).data).toEqual((await old).data);
      expect(reviews.asked()).toBe(2);
    });
  });

  test('is asked each time where that is off', async () => {
    await withRouter({ SUBGRAPH_SHARING: 'off' }, async (router) => {
      const { arrival, release } = held();
      const arrived = [arrival(), arrival()];
      const answers = [router.ask(question), router.ask(question)];
      await Promise.all(arrived);
      release();
      await Promise.all(answers);
      expect(reviews.asked()).toBe(2);
    });
  });
});
