// Child processes that cannot outlive this one, not even when it is killed with SIGKILL; and questions about processes by pid.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What to run. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly workingDirectory?: string;
  /** The whole environment of the child. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the child gets when this process is gone. */
  readonly deathSignal: NodeJS.Signals;
  /** Run as nobody when this process is root, for programs that refuse root. */
  readonly refusesRoot?: boolean;
}

/** Continues only if the parent is still the one that asked: it may have died before its death signal was armed. */
const goOnUnlessOrphaned = '[ "$PPID" = "$0" ] && exec "$@"';

/**
 * Starts a child that ends when this process ends, however it ends. It is in a process group of its own, so that Ctrl-C in a
 * terminal reaches this process alone. Output comes by pipes. The caller listens for `error` and `close`.
 */
export function spawnTied(options: Command): ChildProcess {
  const unprivileged = options.refusesRoot === true && isRoot() ? nobodyPrefix() : [];
  const tied = canArmDeathSignal()
    ? [
        'setpriv',
        '--pdeathsig',
        options.deathSignal.slice(3),
        '--',
        'sh',
        '-c',
        goOnUnlessOrphaned,
        String(process.pid),
      ]
    : [];
  const [command = '', ...args] = [...unprivileged, ...tied, options.command, ...options.args];
  const child = spawn(command, args, {
    env: { ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
  });
  if (tied.length === 0 && child.pid !== undefined) watchFromOutside(child, child.pid, options.deathSignal);
  return child;
}

/**
 * Runs a command to its end and gives its output.
 * @throws Error with the last lines of its output when it ends otherwise than with 0.
 */
export async function run(options: Command): Promise<string> {
  const child = spawnTied(options);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = await new Promise<string | number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  if (ended === 0) return output;
  const tail = output.trim().split('\n').slice(-20).join('\n');
  throw new Error(`"${[options.command, ...options.args].join(' ')}" ended with ${String(ended)}:\n${tail}`);
}

/** The command line of a living process; `undefined` when there is none (a zombie counts as none). */
export function commandOf(pid: number): string | undefined {
  let text: string;
  if (process.platform === 'linux') {
    try {
      text = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return undefined;
    }
  } else {
    text = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  }
  return text.trim() === '' ? undefined : text.trim();
}

/** Whether this process is root, and what it starts may have to be somebody else. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The user and group `nobody`, as Debian, Fedora and Alpine number them. */
const nobody = 65_534;

const inNamespace = ['unshare', '--user', `--map-user=${String(nobody)}`, `--map-group=${String(nobody)}`, '--'];
const asNobody = ['setpriv', `--reuid=${String(nobody)}`, `--regid=${String(nobody)}`, '--clear-groups'];
// Folders above the server's files may be closed to nobody.
const withReach = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];

/**
 * How root becomes nobody. In a user namespace where there are such: files stay root's, whatever their mode. Containers often forbid
 * them; then it is the real nobody, who must own what it writes.
 */
const nobodyPrefix = once((): readonly string[] => {
  const prefixes = [inNamespace, [...asNobody, ...withReach, '--'], [...asNobody, '--']];
  return prefixes.find((prefix) => succeeds([...prefix, 'true'])) ?? [];
});

/** The user that owns the files of a program that refuses root, when this process is root. */
export function ownerOfUnprivileged(): number {
  return nobodyPrefix() === inNamespace ? 0 : nobody;
}

const canArmDeathSignal = once(
  () => process.platform === 'linux' && succeeds(['setpriv', '--pdeathsig', 'KILL', '--', 'true']),
);

/** Where no death signal can be armed: a shell that waits for our end of its input to close, then sends the signal. */
function watchFromOutside(child: ChildProcess, pid: number, signal: NodeJS.Signals): void {
  const watcher = spawn('sh', ['-c', 'read -r _; kill -s "$1" "$0"', String(pid), signal.slice(3)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.on('error', () => child.kill('SIGKILL'));
  watcher.unref();
  // A child's pipe keeps the event loop alive unless told otherwise; its type does not say that it can be told.
  (watcher.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  child.once('exit', () => watcher.kill('SIGKILL'));
}

function succeeds([command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}
