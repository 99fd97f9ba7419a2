// When V8 is told to favour memory, and that it still knows what it is told.
import { expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createMemorySaving, memoryFlag } from './memory-saving.ts';

/** Looks once for each state; gives what V8 was told. */
function told(states: readonly { readonly utilization: number; readonly opened?: number }[]): readonly string[] {
  const flags: string[] = [];
  let state = states[0];
  const look = createMemorySaving({
    utilization: () => state?.utilization ?? 0,
    subscriptionsOpened: () => state?.opened ?? 0,
    setFlags: (text) => flags.push(text),
  });
  for (state of states) look();
  return flags;
}

test('memory is favoured while the process is quiet, speed while it is busy; V8 is told of each change once', () => {
  const utilizations = [0.8, 0.3, 0.05, 0.02, 0.5, 0.9, 0];
  expect(told(utilizations.map((utilization) => ({ utilization })))).toEqual([
    '--optimize-for-size',
    '--no-optimize-for-size',
    '--optimize-for-size',
  ]);
});

test('memory is favoured while it is busy with starting subscriptions', () => {
  const opened = [0, 900, 2_000, 9_000, 9_100];
  expect(told(opened.map((count) => ({ utilization: 1, opened: count })))).toEqual([
    '--optimize-for-size',
    '--no-optimize-for-size',
  ]);
});

test('this V8 knows the flag', () => {
  // One that is unknown is not refused: it would only be printed.
  expect(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).toContain(`--${memoryFlag} (`);
});
