// @defer: what is answered at once and what comes later, where it stands, and what happens when something fails.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { CodedError } from '../../service/errors.ts';
import { executeOperation, type SubgraphFetch } from './execute.ts';
import { executeIncrementally, type Delivery, type IncrementalExecution } from './incremental.ts';
import { makeGraph } from './testing/graph.ts';

interface Rep {
  readonly id: string;
}
const same = { __resolveReference: (representation: unknown) => representation };

const graph = makeGraph([
  {
    name: 'a',
    sdl: `type Query { me: User none: User list: [User!]! any: [Node] }
      type Mutation { save: User }
      interface Node { id: ID! }
      type User implements Node @key(fields: "id") { id: ID! name: String big: String inner: Inner }
      type Bot implements Node @key(fields: "id") { id: ID! version: Int }
      type Inner { x: Int y: Int }`,
    resolvers: {
      Query: {
        me: () => ({ id: '1' }),
        none: () => null,
        list: () => [{ id: '1' }, { id: '2' }],
        any: () => [{ __typename: 'User', id: '1' }, null, { __typename: 'Bot', id: 'b' }],
      },
      Mutation: { save: () => ({ id: '3' }) },
      Node: { __resolveType: ({ __typename }: { __typename: string }) => __typename },
      User: { ...same, name: ({ id }: Rep) => `n${id}`, big: ({ id }: Rep) => `b${id}`, inner: () => ({ x: 1, y: 2 }) },
      Bot: { ...same, version: () => 7 },
    },
  },
  {
    name: 'b',
    sdl: `type User @key(fields: "id") { id: ID! age: Int strict: Int! friends: [User!] best: User }
      type Bot @key(fields: "id") { id: ID! owner: User }`,
    resolvers: {
      User: {
        ...same,
        age: ({ id }: Rep) => {
          if (id === '2') throw new Error('no age');
          return 30;
        },
        strict: ({ id }: Rep) => (id === '2' ? null : 1),
        friends: () => [{ id: '2' }, { id: '3' }],
        best: () => null,
      },
      Bot: { ...same, owner: () => ({ id: '1' }) },
    },
  },
  {
    name: 'c',
    sdl: 'type User @key(fields: "id") { id: ID! score: Int }',
    resolvers: { User: { ...same, score: ({ id }: Rep) => Number(id) } },
  },
]);

const state = { down: new Set<string>(), order: [] as string[], held: new Map<string, Promise<void>>() };
const fetch: SubgraphFetch<unknown> = async (request, context) => {
  state.order.push(request.subgraph);
  await state.held.get(request.subgraph);
  if (state.down.has(request.subgraph)) throw new CodedError('SERVICE_UNAVAILABLE');
  return graph.fetch(request, context);
};
beforeEach(() => {
  state.down.clear();
  state.order.length = 0;
  state.held.clear();
});

const start = async (query: string, variables: Readonly<Record<string, unknown>> = {}) => {
  const operation = graph.compile(query);
  const deferral = operation.deferralFor(variables);
  return deferral
    ? executeIncrementally(operation, deferral, variables, fetch, undefined)
    : executeOperation(operation, variables, fetch, undefined);
};
const isIncremental = (one: object): one is IncrementalExecution => 'rest' in one;

/** The initial answer, then what came, one line for each part. */
const run = async (query: string, variables?: Readonly<Record<string, unknown>>) => {
  const execution = await start(query, variables);
  if (!isIncremental(execution)) return { single: execution };
  const deliveries: Delivery[] = [];
  for await (const delivery of execution.rest) deliveries.push(delivery);
  return {
    initial: execution.initial,
    parts: deliveries
      .flatMap(({ delivered }) => delivered)
      .map(({ path, label, data, errors }) => ({
        at: path.join('.'),
        ...(label === undefined ? {} : { label }),
        data,
        ...(errors.length > 0 ? { errors: errors.map((error) => `${error.path?.join('.')}: ${error.message}`) } : {}),
      })),
    hasNext: deliveries.map((one) => one.hasNext),
  };
};

describe('a deferred part', () => {
  test('comes after the rest, with label and path', async () => {
    expect(await run('{ me { name ... @defer(label: "later") { age } } }')).toEqual({
      initial: { data: { me: { name: 'n1' } } },
      parts: [{ at: 'me', label: 'later', data: { age: 30 } }],
      hasNext: [false],
    });
    expect(state.order).toEqual(['a', 'b']);
  });

  test('does not hold up the answer, nor do slower parts hold up faster ones', async () => {
    const slow = Promise.withResolvers<void>();
    state.held.set('b', slow.promise);
    const execution = await start(
      '{ me { name ... @defer(label: "slow") { age } ... @defer(label: "fast") { score } } }',
    );
    if (!isIncremental(execution)) throw new Error('It came in one piece.');
    expect(execution.initial).toEqual({ data: { me: { name: 'n1' } } });
    expect(execution.pending.map(({ label }) => label)).toEqual(['slow', 'fast']);
    const first = await execution.rest.next();
    expect(first.value).toMatchObject({ delivered: [{ label: 'fast', data: { score: 1 } }], hasNext: true });
    slow.resolve();
    expect((await execution.rest.next()).value).toMatchObject({ delivered: [{ label: 'slow' }], hasNext: false });
    expect((await execution.rest.next()).done).toBe(true);
  });

  test('in a list comes for each item', async () => {
    const { parts } = await run('{ list { id ... @defer { score } } }');
    expect(parts).toEqual([
      { at: 'list.0', data: { score: 1 } },
      { at: 'list.1', data: { score: 2 } },
    ]);
  });

  test('on an abstract type comes where the type is', async () => {
    const { initial, parts } = await run(
      '{ any { id ... on User @defer(label: "u") { age } ... on Bot @defer(label: "b") { version owner { name } } } }',
    );
    expect(initial).toEqual({ data: { any: [{ id: '1' }, null, { id: 'b' }] } });
    expect(parts).toEqual(
      expect.arrayContaining([
        { at: 'any.0', label: 'u', data: { age: 30 } },
        { at: 'any.2', label: 'b', data: { version: 7, owner: { name: 'n1' } } },
      ]),
    );
    expect(parts).toHaveLength(2);
  });

  test('inside another comes after that', async () => {
    expect(
      await run('{ me { id ... @defer(label: "out") { friends { name ... @defer(label: "in") { score } } } } }'),
    ).toEqual({
      initial: { data: { me: { id: '1' } } },
      parts: [
        { at: 'me', label: 'out', data: { friends: [{ name: 'n2' }, { name: 'n3' }] } },
        { at: 'me.friends.0', label: 'in', data: { score: 2 } },
        { at: 'me.friends.1', label: 'in', data: { score: 3 } },
      ],
      hasNext: [true, false],
    });
  });

  test('may be a named fragment, spread twice, under aliases', async () => {
    const { initial, parts } = await run(
      '{ x: me { ...F @defer(label: "one") } list { id ...F @defer(label: "two") } } fragment F on User { age name }',
    );
    expect(initial).toEqual({ data: { x: {}, list: [{ id: '1' }, { id: '2' }] } });
    expect(parts?.find(({ at }) => at === 'x')).toEqual({ at: 'x', label: 'one', data: { age: 30, name: 'n1' } });
  });

  test('at the root', async () => {
    expect(await run('{ me { name } ... @defer { list { score } } }')).toEqual({
      initial: { data: { me: { name: 'n1' } } },
      parts: [{ at: '', data: { list: [{ score: 1 }, { score: 2 }] } }],
      hasNext: [false],
    });
  });

  test('that the planner asks for with the rest comes right behind it', async () => {
    expect(
      await run('{ me { inner { x ... @defer(label: "i") { y } } ... @defer(label: "s") { score } } }'),
    ).toMatchObject({
      initial: { data: { me: { inner: { x: 1 } } } },
      parts: [
        { at: 'me.inner', label: 'i', data: { y: 2 } },
        { at: 'me', label: 's', data: { score: 1 } },
      ],
    });
  });

  test('of a mutation comes when it is done', async () => {
    expect(await run('mutation { save { id ... @defer { age } } }')).toMatchObject({
      initial: { data: { save: { id: '3' } } },
      parts: [{ at: 'save', data: { age: 30 } }],
    });
  });
});

describe('conditions', () => {
  const query =
    'query($later: Boolean, $no: Boolean = false) { me { name ... @defer(if: $later) { age score @include(if: $no) } } }';

  test('@defer(if: false) is no @defer', async () => {
    expect(await run(query, { later: false, no: false })).toEqual({
      single: { data: { me: { name: 'n1', age: 30 } } },
    });
    expect(await run('{ me { ... @defer(if: false) { name } } }')).toEqual({
      single: { data: { me: { name: 'n1' } } },
    });
  });

  test('by variables, together with @include', async () => {
    expect(await run(query, { later: true, no: true })).toMatchObject({ parts: [{ data: { age: 30, score: 1 } }] });
    expect(await run(query, { no: false })).toMatchObject({ parts: [{ data: { age: 30 } }] });
  });

  test('without deferral all is one answer, with the keys in the order of the query', async () => {
    const { data } = await executeOperation(graph.compile(query), { later: true, no: true }, fetch, undefined);
    expect(JSON.stringify(data)).toBe('{"me":{"name":"n1","age":30,"score":1}}');
  });
});

describe('when something fails', () => {
  test('an error inside a part comes with it', async () => {
    expect(await run('{ list { id ... @defer { age } } }')).toMatchObject({
      initial: { data: { list: [{ id: '1' }, { id: '2' }] } },
      parts: [
        { at: 'list.0', data: { age: 30 } },
        { at: 'list.1', data: { age: null }, errors: ['list.1.age: no age'] },
      ],
    });
  });

  test('a null that must not be takes the part with it, and nothing of what was there', async () => {
    expect(await run('{ list { id ... @defer { strict } } }')).toMatchObject({
      parts: [
        { at: 'list.0', data: { strict: 1 } },
        { at: 'list.1', data: null, errors: ['list.1.strict: Cannot return null for non-nullable field User.strict.'] },
      ],
    });
  });

  test('a subgraph that cannot be reached costs the parts that need it', async () => {
    state.down.add('b');
    const { initial, parts } = await run(
      '{ me { name ... @defer(label: "b") { age } ... @defer(label: "c") { score } } }',
    );
    expect(initial).toEqual({ data: { me: { name: 'n1' } } });
    expect(parts?.find(({ label }) => label === 'c')).toEqual({ at: 'me', label: 'c', data: { score: 1 } });
    expect(parts?.find(({ label }) => label === 'b')).toMatchObject({
      data: { age: null },
      errors: [expect.stringMatching(/^me\.age: /)],
    });
  });

  test('nothing is waited for where what a part adds to is null', async () => {
    expect(await run('{ none { name ... @defer { age } } }')).toEqual({ single: { data: { none: null } } });
    expect(await run('{ me { id ... @defer { best { id ... @defer { score } } } } }')).toMatchObject({
      parts: [{ at: 'me', data: { best: null } }],
      hasNext: [false],
    });
  });
});
