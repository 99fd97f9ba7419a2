// The engine on plain objects: what each subscriber gets, whatever the source and the clients do.
import { describe, expect, test } from '@jest/globals';
import { a, b, mine, one, setUp, settle, TestSink } from './test-engine.ts';

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
});

describe('a stream that is lost and filled again', () => {
  const c = 'thing.changed.alice.c';

  test('repeats nothing, neither live nor read after a reconnect', async () => {
    const { source, subscribe } = setUp();
    source.publish(b, 1);
    source.publish(a, 1);
    source.publish(a, 2);
    const [sink, wide] = [await subscribe(one), await subscribe(mine)];
    source.publish(a, 3);
    await settle();
    source.disconnect();
    source.rebuild();
    source.reconnect();
    source.refill();
    source.publish(a, 4);
    source.publish(b, 2);
    await settle();
    source.disconnect();
    source.rebuild();
    source.refill();
    source.publish(b, 3);
    source.reconnect();
    source.publish(a, 5);
    await settle();
    expect(sink.versions).toEqual([2, 3, 4, 5]);
    expect(wide.versions).toEqual([3, 4, 2, 3, 5]);
  });

  test('gives what was missed just before the loss', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    const wide = await subscribe(mine);
    source.disconnect();
    source.publish(b, 1);
    source.publish(a, 2);
    source.rebuild();
    source.reconnect();
    source.refill();
    await settle();
    expect(wide.versions).toEqual([1, 2]);
  });

  test('is old for who begins while it is filled', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    source.publish(b, 1);
    source.publish(a, 2);
    source.rebuild();
    source.publish(c, 1);
    const wide = await subscribe(mine);
    source.refill();
    source.publish(a, 3);
    await settle();
    expect(wide.versions).toEqual([3]);
  });

  test('says nothing until it was looked at, however far it is filled by then', async () => {
    const { source, subscribe } = setUp();
    const wide = await subscribe(mine);
    source.publish(a, 1);
    await settle();
    source.disconnect();
    source.publish(b, 1);
    source.publish(c, 1);
    source.rebuild();
    source.refill();
    const go = source.hold();
    source.reconnect();
    // A place in the new stream that is ahead of the one in the old.
    source.publish(a, 2);
    await settle();
    expect(wide.versions).toEqual([1]);
    go();
    await settle();
    expect(wide.versions).toEqual([1, 1, 1, 2]);
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

  test('that is still being given what it missed is given what comes meanwhile one by one too', async () => {
    const { source, subscribe } = setUp({ maxBacklog: 2, maxReplay: 5 });
    source.publish(a, 1);
    const before = await subscribe(mine);
    source.publish(a, 2);
    await settle();
    before.subscription?.leave();
    source.publish(b, 3);
    const sink = new TestSink();
    sink.writable = false;
    const begun = subscribe(mine, { variables: { after: before.lastCursor }, sink });
    await settle();
    for (const version of [4, 5, 6, 7]) source.publish(a, version);
    await settle();
    sink.writable = true;
    sink.subscription?.resume();
    await begun;
    expect(sink.versions).toEqual([3, 4, 5, 6, 7]);
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
