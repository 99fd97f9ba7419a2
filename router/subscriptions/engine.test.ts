// The engine on plain objects: what each subscriber gets, whatever the source does.
import { describe, expect, test } from '@jest/globals';
import { createLog } from '../../service/log.ts';
import { Registry } from '../../service/telemetry.ts';
import type { CodedError } from '../../service/errors.ts';
import { createCursorCodec } from './cursor.ts';
import { createLiveEngine } from './engine.ts';
import type { EngineLimits } from './engine.ts';
import { batchEntities } from './hydrate.ts';
import { createLiveMetrics } from './live-metrics.ts';
import type { Payload } from './payload.ts';
import type { LiveSubscription, Sink } from './subscriber.ts';
import {
  prepareTestOperation,
  testMask,
  testSupergraph,
  thingsSubgraph,
  verifyTestToken,
  tokenOf,
} from './test-live.ts';
import { createTestSource } from './test-source.ts';

interface Result {
  readonly data: Record<string, { cursor: string; version: number; thing?: unknown }> | null;
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
  readonly extensions?: Record<string, unknown>;
}

/** A client in memory. */
class TestSink implements Sink {
  writable = true;
  subscription: LiveSubscription | undefined;
  readonly results: Result[] = [];
  readonly payloads: Payload[] = [];
  ended: { readonly code: string | undefined } | undefined;

  opened(subscription: LiveSubscription): void {
    this.subscription = subscription;
  }
  send(payload: Payload): void {
    this.payloads.push(payload);
    this.results.push(JSON.parse(payload.bytes.toString()) as Result);
  }
  end(error: CodedError | undefined): void {
    this.ended = { code: error?.code };
  }
  get versions(): (number | undefined)[] {
    return this.results.map(({ data }) => data && Object.values(data)[0]?.version).map((one) => one ?? undefined);
  }
  get lastCursor(): string | undefined {
    const data = this.results.at(-1)?.data;
    return data ? Object.values(data)[0]?.cursor : undefined;
  }
}

function setUp(limits: Partial<EngineLimits> = {}) {
  const source = createTestSource();
  const subgraph = thingsSubgraph();
  const metrics = createLiveMetrics(new Registry());
  const engine = createLiveEngine({
    source,
    fetch: batchEntities(subgraph.fetch, metrics),
    cursors: createCursorCodec(['new secret', 'old secret']),
    maskError: testMask,
    log: createLog('test', 'silent'),
    metrics,
    limits: { presentGraceMs: 0, ...limits },
  });
  return {
    source,
    subgraph,
    engine,
    metrics,
    async subscribe(
      query: string,
      {
        sub = 'alice',
        variables = {},
        sink = new TestSink(),
      }: { sub?: string; variables?: Record<string, unknown>; sink?: TestSink } = {},
    ): Promise<TestSink> {
      const prepared = prepareTestOperation(testSupergraph, query, undefined);
      if (!prepared.ok) throw new Error(String(prepared.errors[0]));
      const viewer = await verifyTestToken(tokenOf(sub, { expiresAt: 4_000_000_000_000 }));
      await engine.subscribe({ operation: prepared.operation, variables, viewer, sink });
      return sink;
    },
  };
}

/** Lets everything that is ready run. */
const settle = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

const one = 'subscription ($after: String) { thingChanged(id: "a", after: $after) { cursor version } }';
const mine = 'subscription ($after: String) { myThingsChanged(after: $after) { cursor version } }';
const a = 'thing.changed.alice.a';
const b = 'thing.changed.alice.b';

describe('the beginning', () => {
  test('is the present state, then each change', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    source.publish(a, 2);
    const sink = await subscribe(one);
    expect(sink.versions).toEqual([2]);
    source.publish(a, 3);
    await settle();
    expect(sink.versions).toEqual([2, 3]);
  });

  test('loses and repeats nothing that is published while it reads', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const go = source.hold();
    const sink = new TestSink();
    const subscribed = subscribe(one, { sink });
    await settle();
    source.publish(a, 2);
    source.publish(a, 3);
    go();
    await subscribed;
    source.publish(a, 4);
    await settle();
    // The read sees all three; the buffered ones must not come again.
    expect(sink.versions).toEqual([3, 4]);
  });

  test('is NOT_FOUND where nothing ever happened, and leaves nothing behind', async () => {
    const { source, subscribe } = setUp();
    await expect(subscribe(one)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(source.watches()).toBe(0);
  });

  test('waits a moment for the first event', async () => {
    const { source, subscribe } = setUp({ presentGraceMs: 60_000 });
    const subscribed = subscribe(one);
    await settle();
    source.publish(a, 1);
    expect((await subscribed).versions).toEqual([1]);
  });

  test('is now, for a field without present state', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const sink = await subscribe(mine);
    source.publish(b, 1);
    source.publish(a, 2);
    await settle();
    expect(sink.versions).toEqual([1, 2]);
  });

  test('is refused with SERVICE_UNAVAILABLE when the broker is away', async () => {
    const { source, subscribe } = setUp();
    source.disconnect();
    await expect(subscribe(one)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(source.watches()).toBe(0);
  });
});

describe('a cursor', () => {
  test('goes on behind its event, also in a field of many subjects', async () => {
    const { source, subscribe } = setUp();
    const first = await subscribe(mine);
    source.publish(a, 1);
    await settle();
    first.subscription?.leave();
    source.publish(b, 2);
    source.publish('thing.changed.bob.c', 3);
    source.publish(a, 4);
    const sink = await subscribe(mine, { variables: { after: first.lastCursor } });
    source.publish(b, 5);
    await settle();
    expect(sink.versions).toEqual([2, 4, 5]);
  });

  test('that stands at the present gives nothing, and is not given the present again', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const first = await subscribe(one);
    const sink = await subscribe(one, { variables: { after: first.lastCursor } });
    expect(sink.versions).toEqual([]);
  });

  test('of another viewer, of another field, edited or invented is CURSOR_INVALID', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    source.publish('thing.changed.bob.a', 1);
    const cursor = (await subscribe(one)).lastCursor ?? '';
    const edited = `${cursor.slice(0, 12)}${cursor[12] === 'A' ? 'B' : 'A'}${cursor.slice(13)}`;
    for (const [query, sub, after] of [
      [one, 'bob', cursor],
      [mine, 'alice', cursor],
      [one, 'alice', edited],
      [one, 'alice', `${cursor}=`],
      [one, 'alice', ''],
      [one, 'alice', 'x'.repeat(10_000)],
    ] as const) {
      await expect(subscribe(query, { sub, variables: { after } })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    }
  });

  test('is CURSOR_EXPIRED when what it missed is gone, and still good when nothing was missed', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const old = (await subscribe(one)).lastCursor;
    source.publish(b, 1);
    source.purge(2);
    await expect(subscribe(one, { variables: { after: old } })).resolves.toMatchObject({ versions: [] });
    source.publish(a, 2);
    source.publish(a, 3);
    source.purge(3);
    await settle();
    await expect(subscribe(one, { variables: { after: old } })).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
  });

  test('of a stream that was made anew is CURSOR_EXPIRED', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const first = await subscribe(one);
    const after = first.lastCursor;
    first.subscription?.leave();
    source.rebuild();
    source.publish(a, 1);
    await expect(subscribe(one, { variables: { after } })).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
  });

  test('too far behind is answered with the newest event and a note, and goes on live', async () => {
    const { source, subscribe } = setUp({ maxReplay: 3 });
    source.publish(a, 1);
    const after = (await subscribe(one)).lastCursor;
    for (const version of [2, 3, 4, 5]) source.publish(a, version);
    await settle();
    const sink = await subscribe(one, { variables: { after } });
    source.publish(a, 6);
    await settle();
    expect(sink.versions).toEqual([5, 6]);
    expect(sink.results.map(({ extensions }) => extensions)).toEqual([{ code: 'REPLAY_TOO_LONG' }, undefined]);
  });
});

describe('a message that does not come', () => {
  test('is read from the stream before the next goes on', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const sink = await subscribe(one);
    source.publish(a, 2, { lost: true });
    source.publish(a, 3);
    source.publish(a, 4);
    await settle();
    expect(sink.versions).toEqual([1, 2, 3, 4]);
  });

  test('is found by its subject in a field of many subjects', async () => {
    const { source, subscribe } = setUp();
    const sink = await subscribe(mine);
    source.publish(a, 1);
    source.publish(b, 2, { lost: true });
    source.publish(a, 3);
    source.publish(b, 4);
    await settle();
    expect(sink.versions).toEqual([1, 3, 2, 4]);
  });

  test('is read when the broker is back', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const [sink, wide] = [await subscribe(one), await subscribe(mine)];
    source.disconnect();
    source.publish(a, 2);
    source.publish(a, 3);
    source.reconnect();
    source.publish(a, 4);
    await settle();
    expect(sink.versions).toEqual([1, 2, 3, 4]);
    expect(wide.versions).toEqual([2, 3, 4]);
  });

  test('stored twice is given once', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const sink = await subscribe(one);
    source.publish(a, 2);
    source.publish(a, 2);
    source.publish(a, 3);
    await settle();
    expect(sink.versions).toEqual([1, 2, 3]);
  });

  test('and a stream made anew, filled again from the start, repeats nothing', async () => {
    const { source, subscribe } = setUp();
    source.publish(b, 1);
    source.publish(a, 1);
    source.publish(a, 2);
    const [sink, wide] = [await subscribe(one), await subscribe(mine)];
    source.publish(a, 3);
    await settle();
    source.disconnect();
    source.rebuild();
    source.publish(a, 1);
    source.reconnect();
    await settle();
    source.publish(a, 2);
    source.publish(a, 3);
    source.publish(a, 4);
    await settle();
    expect(sink.versions).toEqual([2, 3, 4]);
    expect(wide.versions).toEqual([3, 4]);
  });
});

describe('a group', () => {
  test('resolves and serialises once for all who ask the same', async () => {
    const { source, subscribe, subgraph, metrics } = setUp();
    source.publish(a, 1);
    const query = 'subscription { thingChanged(id: "a") { version thing { name } } }';
    const renamed = 'subscription Other($id: ID = "a") { thingChanged(id: $id) { version thing { name } } }';
    const sinks = [
      await subscribe(query),
      await subscribe(query),
      await subscribe(renamed, { variables: { id: 'a' } }),
    ];
    subgraph.requests.length = 0;
    source.publish(a, 2);
    await settle();
    expect(subgraph.requests).toHaveLength(1);
    const [first, ...others] = sinks.map(({ payloads }) => payloads.at(-1));
    for (const other of others) expect(other).toBe(first);
    expect((await metrics.groups.get()).values[0]?.value).toBe(1);
  });

  test('is never shared between tokens when subgraphs are asked, and neither are batches', async () => {
    const { source, subscribe, subgraph } = setUp();
    const query = 'subscription { allThingsChanged { version thing { name } } }';
    const sinks = [await subscribe(query, { sub: 'alice' }), await subscribe(query, { sub: 'bob' })];
    source.publish(a, 1);
    source.publish(b, 2);
    await settle();
    expect(sinks.map(({ versions }) => versions)).toEqual([
      [1, 2],
      [1, 2],
    ]);
    const asked = subgraph.requests.map(({ request, context }) => [
      context.viewer?.sub,
      (request.variables['representations'] as { id: string }[]).map(({ id }) => id),
    ]);
    // One request for each viewer, with both events in it.
    expect(asked).toEqual([
      ['alice', [a, b]],
      ['bob', [a, b]],
    ]);
  });

  test('keeps order while it resolves side by side', async () => {
    const { source, subscribe, subgraph } = setUp();
    const sink = await subscribe('subscription { myThingsChanged { version thing { name } } }');
    const go = subgraph.hold();
    source.publish(a, 1);
    await settle();
    source.publish(b, 2);
    source.publish(a, 3);
    await settle();
    expect(sink.versions).toEqual([]);
    go();
    await settle();
    await settle();
    expect(sink.versions).toEqual([1, 2, 3]);
  });
});

describe('a slow client', () => {
  test('gets what waited once it can, in order', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const sink = await subscribe(one);
    sink.writable = false;
    source.publish(a, 2);
    source.publish(a, 3);
    await settle();
    expect(sink.versions).toEqual([1]);
    sink.writable = true;
    sink.subscription?.resume();
    expect(sink.versions).toEqual([1, 2, 3]);
  });

  test('is given the newest of each subject when too much waits, and told how many were skipped', async () => {
    const { source, subscribe } = setUp({ maxBacklog: 2 });
    const sink = await subscribe(mine);
    sink.writable = false;
    source.publish(a, 1);
    source.publish(b, 2);
    source.publish(a, 3);
    source.publish(a, 4);
    await settle();
    sink.writable = true;
    sink.subscription?.resume();
    expect(sink.versions).toEqual([2, 4]);
    expect(sink.results.map(({ extensions }) => extensions)).toEqual([undefined, { skipped: 2 }]);
  });

  test('is ended when more subjects wait than it may hold', async () => {
    const { source, subscribe, metrics } = setUp({ maxBacklog: 2 });
    const sink = await subscribe(mine);
    sink.writable = false;
    for (const id of ['a', 'b', 'c']) source.publish(`thing.changed.alice.${id}`, 1);
    await settle();
    expect(sink.ended).toEqual({ code: 'SUBSCRIPTION_SLOW_CONSUMER' });
    expect(source.watches()).toBe(0);
    expect((await metrics.backlog.get()).values[0]?.value).toBe(0);
  });

  test('delays nobody else', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const [slow, fast] = [await subscribe(one), await subscribe(one)];
    slow.writable = false;
    source.publish(a, 2);
    await settle();
    expect(fast.versions).toEqual([1, 2]);
  });
});

describe('the end', () => {
  test('leaves no watch, group or topic behind, whenever it comes', async () => {
    const { source, subscribe, metrics } = setUp();
    source.publish(a, 1);
    const done = await subscribe(one);
    const go = source.hold();
    const early = new TestSink();
    early.opened = (subscription) => subscription.leave();
    const opening = subscribe(mine, { sink: early });
    done.subscription?.leave();
    done.subscription?.leave();
    go();
    await opening;
    expect(source.watches()).toBe(0);
    for (const gauge of [metrics.topics, metrics.groups, metrics.subscriptions]) {
      expect((await gauge.get()).values[0]?.value).toBe(0);
    }
  });

  test('of the engine tells every subscriber', async () => {
    const { source, subscribe, engine } = setUp();
    source.publish(a, 1);
    const sink = await subscribe(one);
    engine.close();
    expect(sink.ended).toEqual({ code: 'SHUTTING_DOWN' });
    expect(source.watches()).toBe(0);
    await expect(subscribe(one)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});
