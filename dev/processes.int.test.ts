// Child processes that end when their parent is killed, with the system's help and without it.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, run } from './processes.ts';
import { eventually } from './testing.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-processes-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A PATH with these programs and no others. */
async function pathWith(...programs: string[]): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const program of programs) {
    const found = await run({
      command: 'sh',
      args: ['-c', `command -v ${program}`],
      environment: process.env,
      deathSignal: 'SIGKILL',
    });
    await symlink(found.trim(), join(bin, program));
  }
  return bin;
}

/** Runs a process that starts a tied child and prints its pid; gives both pids. */
async function parentAndChild(
  path: string | undefined,
): Promise<{ parent: ReturnType<typeof spawn>; childPid: number }> {
  const script = `import { spawnTied } from ${JSON.stringify(join(import.meta.dirname, 'processes.ts'))};
    const child = spawnTied({ command: 'sleep', args: ['600'], environment: process.env, deathSignal: 'SIGTERM' });
    console.log(child.pid);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(path === undefined ? {} : { PATH: path }) },
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const childPid = Number(line.toString());
  await eventually(() => Promise.resolve(commandOf(childPid)?.startsWith('sleep')));
  return { parent, childPid };
}

describe('a tied process', () => {
  test.each(['with setpriv', 'without setpriv'])('ends when its parent is killed, %s', async (how) => {
    const path = how === 'without setpriv' ? await pathWith('sh', 'sleep', 'ps') : undefined;
    const { parent, childPid } = await parentAndChild(path);
    parent.kill('SIGKILL');
    await eventually(() => Promise.resolve(commandOf(childPid) === undefined));
  });
});

describe('run', () => {
  const command = { environment: process.env, deathSignal: 'SIGKILL', command: 'sh' } as const;

  test('gives the output', async () => {
    expect(await run({ ...command, args: ['-c', 'echo out; echo err >&2'] })).toMatch(/out|err/);
  });

  test('rejects with what a failing command said', async () => {
    await expect(run({ ...command, args: ['-c', 'echo why; exit 3'] })).rejects.toThrow(/ended with 3:\nwhy/);
  });
});
