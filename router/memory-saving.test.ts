// When V8 is told to favour memory, and that it still knows what it is told.
import { expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createMemorySaving, memoryFlag } from './memory-saving.ts';

/** Looks once for each state; gives what V8 was told. */
function told(
  states: readonly { readonly utilization: number; readonly opened?: number; readonly seconds?: number }[],
): readonly string[] {
  const flags: string[] = [];
  let state = states[0];
  const look = createMemorySaving({
    utilization: () => state?.utilization ?? 0,
    subscriptionsOpened: () => state?.opened ?? 0,
    setFlags: (text) => flags.push(text),
  });
  for (state of states) look(state.seconds ?? 2);
  return flags;
}

test('memory is favoured when the process has been quiet for half a minute, speed while it is busy; V8 is told of each change once', () => {
  const quiet = { utilization: 0.05, seconds: 15 };
  const busy = { utilization: 0.5 };
  expect(told([quiet, busy, quiet])).toEqual([]);
  expect(told([quiet, quiet, quiet, busy, busy, quiet, quiet])).toEqual([
    '--optimize-for-size',
    '--no-optimize-for-size',
    '--optimize-for-size',
  ]);
});

test('behind starting subscriptions there is no need to wait for it', () => {
  expect(told([{ utilization: 1, opened: 9_000 }, { utilization: 0 }, { utilization: 1 }])).toEqual([
    '--optimize-for-size',
    '--no-optimize-for-size',
  ]);
});

test('memory is favoured while it is busy with starting subscriptions', () => {
  const opened = [0, 900, 2_000, 9_000, 9_100];
  expect(told(opened.map((count) => ({ utilization: 1, opened: count })))).toEqual([
    '--optimize-for-size',
    '--no-optimize-for-size',
  ]);
});

test('how many subscriptions are many depends on the time since the last look', () => {
  const states = [0, 99, 200].map((opened) => ({ utilization: 1, opened, seconds: 0.2 }));
  expect(told(states)).toEqual(['--optimize-for-size']);
});

test('this V8 knows the flag', () => {
  // One that is unknown is not refused: it would only be printed.
  expect(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).toContain(`--${memoryFlag} (`);
});
