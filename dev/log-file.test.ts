// Log files: appended to, and of bounded size.
import { expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogFile } from './log-file.ts';

test('a log is appended to, and two files of bounded size are kept', () => {
  const folder = mkdtempSync(join(tmpdir(), 'baedal-log-'));
  const path = join(folder, 'a', 'part.log');
  const first = openLogFile(path, 100);
  first.write('kept');
  first.close();
  first.write('not written');
  const log = openLogFile(path, 100);
  expect(readFileSync(path, 'utf8')).toBe('kept\n');
  for (let line = 0; line < 100; line++) log.write(`line ${String(line)}`);
  log.close();
  expect(readFileSync(path, 'utf8')).toMatch(/line 99\n$/);
  for (const one of [path, `${path}.1`]) expect(statSync(one).size).toBeLessThan(120);
  rmSync(folder, { recursive: true });
});
