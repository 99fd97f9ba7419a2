// The processes of the benchmark: started, asked and ended, and what the kernel says of their memory and CPU time.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Child {
  readonly pid: number;
  /** Sends a request and gives the answer. One at a time. */
  ask<Answer>(request: unknown): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a file of this folder that answers messages; resolves when it has said that it is ready. */
export async function startChild(
  file: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<Child> {
  const process = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
  });
  await once(process, 'message');
  return {
    pid: process.pid ?? 0,
    async ask<Answer>(request: unknown) {
      const answered = once(process, 'message') as Promise<[Answer]>;
      process.send(request as object);
      return (await answered)[0];
    },
    stop: () => stopProcess(process),
  };
}

export async function stopProcess(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}

/** Resident memory of a process in kilobytes. */
export function residentKb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(match?.[1] ?? NaN);
}

/** CPU time that a process has used, in milliseconds (the kernel counts in ticks of ten). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The same of its main thread alone, to the nanosecond, as the scheduler counts it. */
export function mainThreadCpuMs(pid: number): number {
  const [onCpu = '0'] = readFileSync(`/proc/${String(pid)}/schedstat`, 'utf8').split(' ');
  return Number(onCpu) / 1e6;
}

/** The same of all its threads that are there now. */
export function threadsCpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${String(pid)}/task`);
  return threads.reduce((sum, thread) => sum + threadCpuMs(`/proc/${String(pid)}/task/${thread}`), 0);
}

/** Nothing of a thread that ends meanwhile. */
function threadCpuMs(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6;
  } catch {
    return 0;
  }
}

/** The value at a share of sorted numbers: 0.99 for the 99th percentile. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** Two decimals. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((one, other) => one - other),
    0.5,
  );
}

/** Milliseconds since 1970 to the microsecond: the same clock in every process of this machine. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The clock as an event carries it; always as long as `clockTextLength`. */
export function clockText(): string {
  return clockMs().toFixed(3);
}

export const clockTextLength = 17;
