// Who gets which answer when several ask the same at once, and what happens to them when one goes.
import { expect, test } from '@jest/globals';
import { createSharedExchanges } from './shared-exchanges.ts';

/** Answers that come when they are told to. */
function questions() {
  const shares = createSharedExchanges<string>();
  const asked: PromiseWithResolvers<string>[] = [];
  const ask = (key: string, signal?: AbortSignal): Promise<string> =>
    shares.ask(
      key,
      () => {
        const answer = Promise.withResolvers<string>();
        asked.push(answer);
        signal?.addEventListener('abort', () => answer.reject(signal.reason as Error));
        return answer.promise;
      },
      signal,
    );
  return { shares, asked, ask };
}

test('the same question under way is asked once, another one apart', async () => {
  const { asked, ask } = questions();
  const answers = [ask('a'), ask('a'), ask('b')];
  asked.forEach((one, index) => one.resolve(`answer ${index}`));
  expect(await Promise.all(answers)).toEqual(['answer 0', 'answer 0', 'answer 1']);
});

test('what is answered is not remembered, and neither is a failure', async () => {
  const { asked, ask } = questions();
  const failing = [ask('a'), ask('a')];
  asked[0]?.reject(new Error('down'));
  expect(await Promise.allSettled(failing)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
  const again = ask('a');
  asked[1]?.resolve('up');
  expect(await again).toBe('up');
});

test('what is forgotten is shared no more, and answers those that have asked', async () => {
  const { shares, asked, ask } = questions();
  const before = ask('a');
  shares.forget();
  const after = ask('a');
  const together = ask('a');
  asked[1]?.resolve('new');
  asked[0]?.resolve('old');
  expect(await Promise.all([before, after, together])).toEqual(['old', 'new', 'new']);
  expect(asked).toHaveLength(2);
});

test('when the one that asked goes, the others ask once more, together', async () => {
  const { asked, ask } = questions();
  const controller = new AbortController();
  const gone = ask('a', controller.signal);
  const others = [ask('a'), ask('a', new AbortController().signal)];
  controller.abort();
  await expect(gone).rejects.toMatchObject({ name: 'AbortError' });
  while (asked.length < 2) await Promise.resolve();
  asked[1]?.resolve('answer');
  expect(await Promise.all(others)).toEqual(['answer', 'answer']);
  expect(asked).toHaveLength(2);
});

test('one of the others that goes is told at once, and nobody else notices', async () => {
  const { asked, ask } = questions();
  const controller = new AbortController();
  const first = ask('a');
  const other = ask('a', controller.signal);
  controller.abort();
  await expect(other).rejects.toMatchObject({ name: 'AbortError' });
  asked[0]?.resolve('answer');
  expect(await first).toBe('answer');
});

test('what is under way is found also when thousands have asked since', async () => {
  const { asked, ask } = questions();
  const first = ask('first');
  for (let at = 0; at < 2_500; at++) {
    const answer = ask(`other ${at}`);
    asked.at(-1)?.resolve('other');
    await answer;
  }
  const again = ask('first');
  asked[0]?.resolve('answer');
  expect(await Promise.all([first, again])).toEqual(['answer', 'answer']);
  expect(asked).toHaveLength(2_501);
});
