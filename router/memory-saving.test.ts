// When V8 is told to favour memory, and that it still knows what it is told.
import { expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createMemorySaving, memoryFlag } from './memory-saving.ts';

test('memory is favoured while the process is quiet, speed while it is busy; V8 is told of each change once', () => {
  const told: string[] = [];
  let utilization = 0;
  const look = createMemorySaving({ utilization: () => utilization, setFlags: (flags) => told.push(flags) });
  for (utilization of [0.8, 0.3, 0.05, 0.02, 0.5, 0.9, 0]) look();
  expect(told).toEqual(['--optimize-for-size', '--no-optimize-for-size', '--optimize-for-size']);
});

test('this V8 knows the flag', () => {
  // One that is unknown is not refused: it would only be printed.
  expect(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).toContain(`--${memoryFlag} (`);
});
