// The runner of `npm run check`: all checks run, a failing one keeps its output, and a missing command is a failure.
import { expect, test } from '@jest/globals';
import { runChecks } from './check.ts';
import type { Check } from './check.ts';

const script = (name: string, code: string): Check => ({ name, command: [process.execPath, '-e', code] });

test('every check runs though one fails, and each is told as it ends', async () => {
  const told: string[] = [];
  const results = await runChecks(
    [
      script('good', 'console.log("fine")'),
      script('bad', 'console.log("this"); console.error("that"); process.exit(3)'),
      { name: 'missing', command: ['no-such-command-here'] },
      script('last', ''),
    ],
    2,
    ({ check }) => told.push(check.name),
  );
  expect(told.toSorted()).toEqual(['bad', 'good', 'last', 'missing']);
  const outcome = Object.fromEntries(results.map(({ check, passed }) => [check.name, passed]));
  expect(outcome).toEqual({ good: true, bad: false, missing: false, last: true });
  const bad = results.find(({ check }) => check.name === 'bad');
  expect(bad?.output).toContain('this');
  expect(bad?.output).toContain('that');
});

test('no more run at once than asked for', async () => {
  const results = await runChecks(
    Array.from({ length: 4 }, (_, index) =>
      script(String(index), 'console.log(Date.now()); setTimeout(() => console.log(Date.now()), 50)'),
    ),
    1,
    () => undefined,
  );
  const spans = results.map(({ output }) => output.trim().split('\n').map(Number));
  for (const [index, [start = 0]] of spans.entries()) {
    const endOfPrevious = spans[index - 1]?.[1] ?? 0;
    expect(start).toBeGreaterThanOrEqual(endOfPrevious);
  }
});
