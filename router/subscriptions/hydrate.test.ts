// Which entity requests of one moment are merged, which go together, and that no viewer is given what was answered to another.
import { expect, test } from '@jest/globals';
import { Registry } from '../../service/telemetry.ts';
import type { SubgraphRequest, SubgraphResponse } from '../executor/execute.ts';
import { createForwardHeaders } from '../forwarded-headers.ts';
import type { Asked } from '../operation-batch.ts';
import type { FetchContext } from '../subgraph-client.ts';
import type { Supergraph } from '../supergraph.ts';
import { batchEntities, defaultBatchOptions } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';

const supergraph = { id: 's' } as Supergraph;
const request = (query: string, ...ids: string[]): SubgraphRequest => ({
  subgraph: 'things',
  query,
  operationName: undefined,
  variables: { representations: ids },
  kind: 'query',
});
const as = (sub: string, language?: string): FetchContext => ({
  forwarded: createForwardHeaders(['accept-language'])({ 'accept-language': language }),
  viewer: { sub, token: `token of ${sub}`, scopes: new Set(), expiresAt: 0 },
  supergraph,
});

function start(takesTogether: boolean, answer = answerTo, options = defaultBatchOptions) {
  const rounds: (readonly [string, unknown])[][] = [];
  const ask = (asked: readonly Asked[]): Promise<SubgraphResponse>[] => {
    rounds.push(asked.map((one) => [one.context.viewer?.sub ?? '', one.request.variables['representations']] as const));
    return asked.map((one) => answer(one));
  };
  const metrics = createLiveMetrics(new Registry());
  const client = {
    fetch: async (request: SubgraphRequest, context: FetchContext) =>
      ask([{ request, context }])[0] as Promise<SubgraphResponse>,
    takesTogether: () => takesTogether,
    fetchTogether: ask,
  };
  return { fetch: batchEntities(client, metrics, options), rounds, metrics };
}

/** Each entity says who asked for it. */
function answerTo({ request, context }: Asked): Promise<SubgraphResponse> {
  const ids = request.variables['representations'] as string[];
  return Promise.resolve({ data: { _entities: ids.map((id) => `${id} for ${context.viewer?.sub ?? ''}`) } });
}

const entities = (response: SubgraphResponse): unknown => response.data?.['_entities'];

test('those of one viewer become one question, and each is given its own part', async () => {
  const { fetch, rounds } = start(false);
  const answers = await Promise.all([
    fetch(request('q', 'a', 'b'), as('alice')),
    fetch(request('q', 'c'), as('alice')),
  ]);
  expect(rounds).toEqual([[['alice', ['a', 'b', 'c']]]]);
  expect(answers.map(entities)).toEqual([['a for alice', 'b for alice'], ['c for alice']]);
});

test('those of several viewers go in one request where the subgraph takes that, each as its viewer', async () => {
  const { fetch, rounds, metrics } = start(true);
  const answers = await Promise.all([
    fetch(request('q', 'a'), as('alice')),
    fetch(request('q', 'a'), as('bob')),
    fetch(request('q', 'b'), as('alice')),
    fetch(request('other', 'a'), as('bob')),
  ]);
  expect(rounds).toEqual([
    [
      ['alice', ['a', 'b']],
      ['bob', ['a']],
      ['bob', ['a']],
    ],
  ]);
  expect(answers.map(entities)).toEqual([['a for alice'], ['a for bob'], ['b for alice'], ['a for bob']]);
  const { values } = await metrics.batchSize.get();
  expect(values.find(({ metricName }) => metricName === 'live_hydration_batch_size_sum')?.value).toBe(4);
});

test.each([true, false])('those whose headers go on and differ never go together (%s)', async (takesTogether) => {
  const { fetch, rounds } = start(takesTogether);
  const asked = [
    fetch(request('q', 'a'), as('alice', 'de')),
    fetch(request('q', 'b'), as('alice', 'ko')),
    fetch(request('q', 'c'), as('alice')),
    fetch(request('q', 'd'), as('alice', 'de')),
  ];
  await Promise.all(asked);
  expect(rounds).toEqual([[['alice', ['a', 'd']]], [['alice', ['b']]], [['alice', ['c']]]]);
});

test('those of several viewers are asked apart where the subgraph does not take that', async () => {
  const { fetch, rounds } = start(false);
  await Promise.all([fetch(request('q', 'a'), as('alice')), fetch(request('q', 'a'), as('bob'))]);
  expect(rounds).toEqual([[['alice', ['a']]], [['bob', ['a']]]]);
});

test('a failure reaches those whose question it is, and nobody else', async () => {
  const { fetch } = start(true, (asked) =>
    asked.context.viewer?.sub === 'bob' ? Promise.reject(new Error('no')) : answerTo(asked),
  );
  const [hers, his, also] = await Promise.allSettled([
    fetch(request('q', 'a'), as('alice')),
    fetch(request('q', 'a'), as('bob')),
    fetch(request('q', 'b'), as('bob')),
  ]);
  expect(hers).toMatchObject({ status: 'fulfilled' });
  expect([his.status, also.status]).toEqual(['rejected', 'rejected']);
});

test('an error about one entity reaches who asked for that one, at its place', async () => {
  const { fetch } = start(true, () =>
    Promise.resolve({
      data: { _entities: ['a', 'b', null] },
      errors: [{ message: 'gone', path: ['_entities', 2, 'name'] }],
    }),
  );
  const [first, second] = await Promise.all([
    fetch(request('q', 'a', 'b'), as('alice')),
    fetch(request('q', 'c'), as('alice')),
  ]);
  expect(first).toEqual({ data: { _entities: ['a', 'b'] } });
  expect(second).toEqual({
    data: { _entities: [null] },
    errors: [{ message: 'gone', path: ['_entities', 0, 'name'] }],
  });
});

test('what is asked while an answer is awaited goes together as soon as it is there, or as soon as it is enough', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { fetch, rounds } = start(
    true,
    async (asked) => {
      if (rounds.length === 1) await held;
      return answerTo(asked);
    },
    { maxBatch: 3, maxWaitMs: 60_000 },
  );
  const nextTick = (): Promise<void> => new Promise(setImmediate);
  const first = fetch(request('q', 'a'), as('alice'));
  await nextTick();
  const enough = ['b', 'c', 'd'].map((id) => fetch(request('q', id), as('alice')));
  expect(rounds).toHaveLength(2);
  const gathered = fetch(request('q', 'e'), as('alice'));
  await nextTick();
  const also = fetch(request('q', 'f'), as('bob'));
  await Promise.all(enough);
  await nextTick();
  release();
  await Promise.all([first, gathered, also]);
  expect(rounds).toEqual([
    [['alice', ['a']]],
    [['alice', ['b', 'c', 'd']]],
    [
      ['alice', ['e']],
      ['bob', ['f']],
    ],
  ]);
});
