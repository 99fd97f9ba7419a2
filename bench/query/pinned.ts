// Processes of the benchmark on a core of their own choice, asked over IPC.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { stopProcess } from '../live/processes.ts';

export interface Pinned<Ready> {
  /** What it said when it was ready. */
  readonly ready: Ready;
  readonly pid: number;
  /** Sends a request and gives the answer. One at a time. */
  ask<Answer>(request: unknown): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startPinned<Ready>(
  file: string,
  core: string,
  args: readonly string[] = [],
): Promise<Pinned<Ready>> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(
    'taskset',
    ['-c', core, process.execPath, '--disable-warning=ExperimentalWarning', path, ...args],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const [ready] = (await once(child, 'message')) as [Ready];
  return {
    ready,
    pid: child.pid ?? 0,
    async ask<Answer>(request: unknown) {
      const answered = once(child, 'message') as Promise<[Answer]>;
      child.send(request as object);
      return (await answered)[0];
    },
    stop: () => stopProcess(child),
  };
}
