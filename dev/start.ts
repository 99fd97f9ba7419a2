// `npm start`: the whole system on this machine, shown on a board, until Ctrl-C.
import { rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { createBoard } from './board.ts';
import type { Board } from './board.ts';
import { dataFolder } from './folders.ts';
import { lockFolder, LockedError } from './lock.ts';
import { readStartArguments, startUsage } from './start-arguments.ts';
import { startStack } from './stack.ts';
import type { Stack, StackProcess } from './stack.ts';
import { findMenuIds, welcome } from './welcome.ts';

const healthIntervalMs = 2_000;
const parentIntervalMs = 1_000;
/** Ctrl-C comes twice: from the terminal, and from npm, which passes its own on. */
const sameRequestMs = 400;

process.exitCode = await main();
process.exit();

/** Gives the exit status. */
async function main(): Promise<number> {
  const chosen = readStartArguments(process.argv.slice(2));
  if ('problem' in chosen) {
    console.error(`${chosen.problem}\n\n${startUsage}`);
    return 2;
  }
  if (chosen.help) {
    console.log(startUsage);
    return 0;
  }
  const dataDir = resolve(chosen.data ?? dataFolder);
  let unlock: () => Promise<void>;
  try {
    unlock = await lockFolder(dataDir);
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    console.error(
      `Baedal is running already on ${relative(process.cwd(), dataDir)}: process ${String(error.pid)}. Stop that one first.`,
    );
    return 1;
  }
  try {
    if (chosen.fresh) await forgetData(dataDir);
    return await runUntilAsked(dataDir);
  } finally {
    await unlock();
  }
}

async function runUntilAsked(dataDir: string): Promise<number> {
  const board = createBoard(process.stdout, {
    colour: process.stdout.isTTY && !process.env['NO_COLOR'],
  });
  const asked = new AbortController();
  let askedAt = -Infinity;
  let stack: Stack | undefined;
  const ask = (why: string): void => {
    if (performance.now() - askedAt < sameRequestMs) return;
    askedAt = performance.now();
    if (asked.signal.aborted) return force(stack);
    board.print(`\n${why}: stopping. Once more forces it.`);
    asked.abort();
  };
  process.on('SIGINT', () => ask('Ctrl-C'));
  process.on('SIGTERM', () => ask('SIGTERM'));
  process.on('SIGHUP', () => ask('The terminal is gone'));
  process.stdout.on('error', () => asked.abort());
  const unwatch = watchStarter(() => asked.abort());

  try {
    if (!process.stdout.isTTY) board.print('Baedal is starting.');
    stack = await startStack({
      dataDir,
      ports: 'default',
      inherit: process.env,
      signal: asked.signal,
      onEvent: board.show,
      say: board.print,
    });
    const logFolder = relative(process.cwd(), join(dataDir, 'logs'));
    const { graphqlUrl, issuer } = stack;
    board.print(await welcome({ graphqlUrl, issuer, logFolder, menuIds: await findMenuIds(graphqlUrl) }));
    const stopHealth = showHealth(stack, board);
    await aborted(asked.signal);
    stopHealth();
    await stack.stop();
    board.close();
    board.print('Stopped.');
    return 0;
  } catch (error) {
    board.close();
    if (asked.signal.aborted) return 0;
    console.error(`\nBaedal could not start. ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    unwatch();
  }
}

/** Begins anew. Downloads stay, and keys, so that tokens are good for the next run too. */
async function forgetData(dataDir: string): Promise<void> {
  for (const name of ['postgres', 'nats', 'logs', 'cursor-secret']) {
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

/** Ends at once. While the stack is only starting, what it started ends with this process. */
function force(stack: Stack | undefined): void {
  const exit = (): never => process.exit(1);
  if (stack === undefined) exit();
  else stack.kill().then(exit, exit);
}

/** Asks every process now and then how it is. */
function showHealth(stack: Stack, board: Board): () => void {
  const look = async (one: StackProcess): Promise<void> => {
    const { status, body } = await one.health();
    board.trouble(one.name, describeHealth(status, body));
  };
  const timer = setInterval(() => {
    for (const one of Object.values(stack.instances).flat()) if (one.state === 'ready') void look(one);
  }, healthIntervalMs);
  return () => clearInterval(timer);
}

/** Names the checks that fail. */
function describeHealth(status: number, body: unknown): string | undefined {
  if (status === 0) return 'does not answer';
  const checks = typeof body === 'object' && body !== null && 'checks' in body ? (body.checks as object) : {};
  const down = Object.entries(checks).flatMap(([name, state]) => (state === 'down' ? [`${name} is down`] : []));
  if (down.length > 0) return down.join(', ');
  return status === 200 ? undefined : `answers ${String(status)}`;
}

/** npm does not stop what it runs when it is killed. A stack that nobody can stop with Ctrl-C any more is an orphan: look for that. */
function watchStarter(gone: () => void): () => void {
  if (process.env['npm_lifecycle_event'] === undefined) return () => undefined;
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== npm) gone();
  }, parentIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}
