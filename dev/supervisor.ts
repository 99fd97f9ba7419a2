// Keeps one child process running: starts it, knows when it is ready, starts it again when it dies, and stops it in good order.
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { openLogFile } from './log-file.ts';
import { spawnTied } from './processes.ts';
import type { Command } from './processes.ts';

/** `restarting`: it died, and waits for its next start. `stopped`: nobody wants it to run. */
export type ProcessState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped';

/** A change of a process. */
export interface ProcessEvent {
  readonly name: string;
  readonly state: ProcessState;
  readonly pid: number | undefined;
  /** How often it was started again after it had died. */
  readonly restarts: number;
  /** What happened, for a person: "ended with SIGKILL", say. */
  readonly detail: string | undefined;
}

export interface ProcessSpec extends Omit<Command, 'deathSignal'> {
  /** Names the process in events and errors. */
  readonly name: string;
  /** Gets every line of its output. */
  readonly logFile: string;
  /** How one sees that it is ready: a line of its output, or an address that answers 200. */
  readonly readyWhen: { readonly line: RegExp } | { readonly url: string };
  /** Asks it to end in good order. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** What it gets when this process is gone. Default SIGKILL. */
  readonly deathSignal?: NodeJS.Signals;
  /** How long `stop` waits before SIGKILL. Default 15,000 milliseconds. */
  readonly stopTimeoutMs?: number;
  /** Runs before each start. */
  readonly prepare?: () => Promise<void>;
  readonly onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export interface SupervisedProcess {
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: ProcessState;
  readonly restarts: number;
  /**
   * Starts it and waits until it is ready. Later deaths start it again, by and by at longer intervals.
   * @throws Error with its last lines when it ends, or does not become ready in `timeoutMs`, in this first start; it is stopped then.
   */
  start(timeoutMs?: number): Promise<void>;
  /** Waits until it is ready, also across restarts. Rejects after `timeoutMs` (default 60,000) or when it is stopped. */
  ready(timeoutMs?: number): Promise<void>;
  /** Sends a signal. For one that ends processes, resolves when the process is gone, and `ready()` waits for the next one from now on. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends it in good order, waiting `stopTimeoutMs` at most, and leaves it down. */
  stop(): Promise<void>;
  /** `stop`, then `start`. */
  restart(): Promise<void>;
  /** Waits for a line of output from now on. Rejects after `timeoutMs` (default 60,000). */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>;
}

const tailLines = 30;
const shortestPauseMs = 100;
const longestPauseMs = 5_000;
/** After this long a death counts as the first one. */
const settledMs = 10_000;
const endingSignals = new Set<NodeJS.Signals>(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGHUP']);

/**
 * Starts a process whose end leaves something to clean up, also when it does not start.
 * @returns how to end it for good.
 * @throws Error as `start` does
 */
export async function startOrCleanUp(
  server: SupervisedProcess,
  cleanUp: () => Promise<void>,
): Promise<() => Promise<void>> {
  const close = async (): Promise<void> => {
    await server.stop();
    await cleanUp();
  };
  try {
    await server.start();
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

export function supervise(spec: ProcessSpec): SupervisedProcess {
  const stopTimeoutMs = spec.stopTimeoutMs ?? 15_000;
  const watchers = new Set<() => void>();
  const lineListeners = new Set<(line: string) => void>();
  let log: ReturnType<typeof openLogFile> | undefined;
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let state: ProcessState = 'stopped';
  let wanted = false;
  let attempt = 0;
  let wasReady = false;
  let restarts = 0;
  let pauseMs = shortestPauseMs;
  let pauseTimer: NodeJS.Timeout | undefined;
  let failure: string | undefined;
  let tail: string[] = [];

  const become = (next: ProcessState, detail?: string): void => {
    state = next;
    spec.onEvent?.({ name: spec.name, state, pid: child?.pid, restarts, detail });
    for (const watcher of [...watchers]) watcher();
  };

  const onLine = (line: string): void => {
    tail.push(line);
    if (tail.length > tailLines) tail.shift();
    log?.write(line);
    for (const listener of [...lineListeners]) listener(line);
  };

  const launch = async (): Promise<void> => {
    become('starting');
    tail = [];
    log ??= openLogFile(spec.logFile);
    const thisAttempt = ++attempt;
    await spec.prepare?.();
    if (!wanted || thisAttempt !== attempt) return;
    const started = spawnTied({ deathSignal: 'SIGKILL', ...spec });
    const startedAt = performance.now();
    const ended = new AbortController();
    child = started;
    if (started.stdout !== null) createInterface({ input: started.stdout }).on('line', onLine);
    if (started.stderr !== null) createInterface({ input: started.stderr }).on('line', onLine);
    gone = new Promise((resolve) => {
      let error: Error | undefined;
      started.once('error', (cause) => {
        error = cause;
        if (started.pid === undefined) started.emit('close', null, null);
      });
      // Not 'exit': a process is only over when those that it has itself started have let go of its output.
      started.once('close', (code, signal) => {
        ended.abort();
        child = undefined;
        resolve();
        afterEnd(
          `ended with ${error?.message ?? code ?? signal ?? 'an unknown status'}`,
          performance.now() - startedAt,
        );
      });
    });
    become('starting');
    awaitReadiness(spec.readyWhen, ended.signal).then(
      () => {
        if (child !== started || state !== 'starting') return;
        wasReady = true;
        become('ready');
      },
      () => undefined,
    );
  };

  const relaunch = (): void => {
    launch().catch((error: unknown) => afterEnd(`could not be started: ${String(error)}`, 0));
  };

  const afterEnd = (how: string, livedMs: number): void => {
    if (!wanted) return become('stopped', how);
    if (!wasReady) {
      wanted = false;
      failure = `${spec.name} ${how} before it was ready`;
      return become('stopped', how);
    }
    if (livedMs > settledMs) pauseMs = shortestPauseMs;
    pauseTimer = setTimeout(() => {
      restarts++;
      relaunch();
    }, pauseMs);
    become('restarting', `${how}; starts again in ${String(pauseMs)} ms`);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  };

  const awaitReadiness = (when: ProcessSpec['readyWhen'], ended: AbortSignal): Promise<void> =>
    'url' in when
      ? answersOk(when.url, ended)
      : new Promise((resolve, reject) => {
          const listener = (line: string): void => {
            if (!when.line.test(line)) return;
            lineListeners.delete(listener);
            resolve();
          };
          lineListeners.add(listener);
          ended.addEventListener('abort', () => {
            lineListeners.delete(listener);
            reject(new Error('ended'));
          });
        });

  const supervised: SupervisedProcess = {
    name: spec.name,
    get pid() {
      return child?.pid;
    },
    get state() {
      return state;
    },
    get restarts() {
      return restarts;
    },
    async start(timeoutMs = 60_000) {
      if (!wanted) {
        await gone;
        wanted = true;
        wasReady = false;
        failure = undefined;
        pauseMs = shortestPauseMs;
        relaunch();
      }
      try {
        await supervised.ready(timeoutMs);
      } catch (error) {
        await supervised.stop();
        throw error;
      }
    },
    ready(timeoutMs = 60_000) {
      return new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          watchers.delete(look);
          act();
        };
        const fail = (why: string): void => {
          const said = tail.length === 0 ? '' : `\n${tail.map((line) => `  ${line}`).join('\n')}\n  (${spec.logFile})`;
          settle(() => reject(new Error(`${why}${said}`)));
        };
        const look = (): void => {
          if (state === 'ready') settle(resolve);
          else if (state === 'stopped') fail(failure ?? `${spec.name} is stopped`);
        };
        const timer = setTimeout(() => fail(`${spec.name} was not ready after ${String(timeoutMs)} ms`), timeoutMs);
        watchers.add(look);
        look();
      });
    },
    async kill(signal) {
      if (child === undefined) return;
      const ends = endingSignals.has(signal);
      if (ends && state === 'ready') become('restarting', `was sent ${signal}`);
      child.kill(signal);
      if (ends) await gone;
    },
    async stop() {
      wanted = false;
      clearTimeout(pauseTimer);
      if (child === undefined) {
        if (state !== 'stopped') become('stopped');
      } else {
        const stopping = child;
        // Asked twice, many a process ends at once.
        if (state !== 'stopping') {
          become('stopping');
          stopping.kill(spec.stopSignal ?? 'SIGTERM');
          // A paused process would keep the signal for later.
          stopping.kill('SIGCONT');
        }
        const timer = setTimeout(() => stopping.kill('SIGKILL'), stopTimeoutMs);
        await gone;
        clearTimeout(timer);
      }
      log?.close();
      log = undefined;
    },
    async restart() {
      await supervised.stop();
      await supervised.start();
    },
    line(pattern, timeoutMs = 60_000) {
      return new Promise((resolve, reject) => {
        const listener = (line: string): void => {
          if (!pattern.test(line)) return;
          lineListeners.delete(listener);
          clearTimeout(timer);
          resolve(line);
        };
        const timer = setTimeout(() => {
          lineListeners.delete(listener);
          reject(new Error(`${spec.name} did not print ${String(pattern)} in ${String(timeoutMs)} ms`));
        }, timeoutMs);
        lineListeners.add(listener);
      });
    },
  };
  return supervised;
}

const pollMs = 50;

/** Asks `url` again and again until it answers 200. Rejects when `ended` says that nobody will ever answer. */
async function answersOk(url: string, ended: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.any([ended, AbortSignal.timeout(2_000)]) });
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      ended.throwIfAborted();
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    ended.throwIfAborted();
  }
}
