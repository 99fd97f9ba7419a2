// Joined calls: who goes with whom, and whose failure is whose.
import { expect, test } from '@jest/globals';
import { joinCalls } from './join-calls.ts';

/** Work that notes what it was given; `b` never fits, and what goes together waits for `gate`. */
function noted(gate: Promise<unknown> = Promise.resolve()) {
  const runs: string[] = [];
  const call = joinCalls<string, string>({
    async alone(item) {
      runs.push(item);
      if (item === 'b') throw new Error('b does not fit');
      return item.toUpperCase();
    },
    async together(items) {
      runs.push(items.join('+'));
      await gate;
      if (items.includes('b')) throw new Error('something does not fit');
      return items.map((item) =>
        item === 'lost'
          ? { status: 'rejected', reason: new Error('lost') }
          : { status: 'fulfilled', value: item.toUpperCase() },
      );
    },
  });
  return { runs, call };
}

test('a call that comes alone goes alone', async () => {
  const { runs, call } = noted();
  expect(await call('a')).toBe('A');
  expect(runs).toEqual(['a']);
});

test('calls of one turn go together, and those that come meanwhile go together after them', async () => {
  const gate = Promise.withResolvers<undefined>();
  const { runs, call } = noted(gate.promise);
  const first = [call('a'), call('c')];
  await new Promise((resolve) => setImmediate(resolve));
  const next = [call('d'), call('e')];
  gate.resolve(undefined);
  expect(await Promise.all([...first, ...next])).toEqual(['A', 'C', 'D', 'E']);
  expect(runs).toEqual(['a+c', 'd+e']);
});

test('what fails together is run one by one, and the failure is that of its own item', async () => {
  const { runs, call } = noted();
  const outcomes = await Promise.allSettled([call('a'), call('b'), call('c')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(runs).toEqual(['a+b+c', 'a', 'b', 'c']);
});

test('an item that fails by itself is not run again', async () => {
  const { runs, call } = noted();
  const outcomes = await Promise.allSettled([call('a'), call('lost')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(runs).toEqual(['a+lost']);
});

test('the next do not wait for ever for those that are held up', async () => {
  const { runs, call } = noted(new Promise(() => undefined));
  void call('a');
  void call('c');
  await new Promise((resolve) => setImmediate(resolve));
  expect(await call('d')).toBe('D');
  expect(runs).toEqual(['a+c', 'd']);
});

test('many go in portions', async () => {
  const { runs, call } = noted();
  await Promise.all(Array.from({ length: 100 }, () => call('a')));
  expect(runs.map((run) => run.split('+').length)).toEqual([64, 36]);
});
