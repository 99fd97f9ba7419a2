// How a subscription begins, on plain objects: the present state, a cursor, and what happens meanwhile.
import { describe, expect, test } from '@jest/globals';
import { a, b, mine, one, setUp, settle, TestSink } from './test-engine.ts';

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

  test('from the midst of a stream being filled again is CURSOR_EXPIRED as long as old events may be behind it', async () => {
    const { source, subscribe } = setUp();
    source.publish(a, 1);
    source.publish(b, 1);
    const sink = await subscribe(mine);
    source.disconnect();
    source.rebuild();
    source.reconnect();
    source.publish(a, 2);
    await settle();
    const amid = sink.lastCursor;
    source.refill();
    source.publish(b, 2);
    await settle();
    expect(sink.versions).toEqual([2, 2]);
    await expect(subscribe(mine, { variables: { after: amid } })).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
    source.publish(a, 3);
    const resumed = await subscribe(mine, { variables: { after: sink.lastCursor } });
    expect(resumed.versions).toEqual([3]);
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
