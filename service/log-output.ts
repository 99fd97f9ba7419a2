// Where the lines of a log go: to standard output, without ever waiting for who reads it. A pipe that nobody reads from is full after a
// while, and a process that waits for it does nothing any more, not even end; so lines that there is no room for are dropped, and counted.

/** Characters that may wait for their reader. */
const maxUnread = 1_000_000;

export interface LogOutput {
  write(line: string): void;
}

/** @param dropped the line that tells how many are missing, when there is room again. */
export function createLogOutput(dropped: (lines: number) => string): LogOutput {
  let missing = 0;
  let isOpen = false;
  return {
    write(line) {
      if (!isOpen) openStandardStreams();
      isOpen = true;
      if (process.stdout.writableLength > maxUnread) {
        missing += 1;
        return;
      }
      if (missing > 0) process.stdout.write(dropped(missing));
      missing = 0;
      process.stdout.write(line);
    },
  };
}

/** A reader that has gone is no reason to go too. */
function openStandardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners('error').includes(passOver)) stream.on('error', passOver);
  }
}

const passOver = (): void => undefined;
