// A log file of bounded size: when it is full it becomes `<name>.1`, replacing the one before, and a new one begins.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  readonly path: string;
  /** Writes at once, so that what was written is there when this process is killed. */
  write(line: string): void;
  close(): void;
}

/** Opens `path` for appending, with its folders. Two files of `maxBytes` are kept at most. */
export function openLogFile(path: string, maxBytes = 10_000_000): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  let file: number | undefined = openSync(path, 'a');
  let size = fstatSync(file).size;
  return {
    path,
    write(line) {
      if (file === undefined) return;
      if (size > maxBytes) {
        closeSync(file);
        renameSync(path, `${path}.1`);
        file = openSync(path, 'a');
        size = 0;
      }
      size += writeSync(file, `${line}\n`);
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
