// `npm run check`: everything that is checked without running the system, two at a time, as a short table and the output of what failed.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';

/** One check: a command that exits 0 when all is well. */
export interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

/** What a check came to; `output` is both of its streams, in order. */
export interface Result {
  readonly check: Check;
  readonly passed: boolean;
  readonly output: string;
  readonly milliseconds: number;
}

const root = fileURLToPath(new URL('../', import.meta.url));
const node = process.execPath;
const coloured = isatty(1);

/** The slowest first, so that the quick ones fill the gaps. */
const checks: readonly Check[] = [
  { name: 'types', command: [node, 'node_modules/typescript/bin/tsc', '--project', '.', '--pretty', String(coloured)] },
  { name: 'lint', command: [node, 'node_modules/eslint/bin/eslint.js', '.', '--max-warnings', '0'] },
  {
    name: 'formatting',
    command: [node, 'node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  },
  { name: 'generated files', command: [node, 'dev/generate.ts', '--check'] },
  { name: 'kubernetes', command: [node, 'dev/k8s-check.ts'] },
  { name: 'breaking changes', command: [node, 'dev/breaking-changes.ts', ...process.argv.slice(2)] },
  { name: 'dependencies', command: [node, 'dev/dependencies.ts'] },
  { name: 'lock file', command: ['npm', 'ci', '--dry-run', '--offline', '--ignore-scripts', '--loglevel', 'error'] },
];

/** Runs checks, at most `width` at once, and tells each result as it comes. Never rejects: a command that is missing has failed. */
export async function runChecks(
  pending: readonly Check[],
  width: number,
  tell: (result: Result) => void,
): Promise<readonly Result[]> {
  const queue = [...pending];
  const results: Result[] = [];
  const worker = async (): Promise<void> => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
      const result = await run(check);
      results.push(result);
      tell(result);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

async function run(check: Check): Promise<Result> {
  const startedAt = performance.now();
  const [command = '', ...args] = check.command;
  const env = coloured ? { ...process.env, FORCE_COLOR: '1' } : process.env;
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => {
    const end = (passed: boolean): void =>
      resolve({ check, passed, output, milliseconds: performance.now() - startedAt });
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

if (import.meta.main) {
  const results = await runChecks(checks, Math.min(2, availableParallelism()), ({ check, passed, milliseconds }) => {
    const mark = passed ? styleText('green', 'passed') : styleText('red', 'FAILED');
    console.log(`${mark}  ${check.name.padEnd(16)} ${(milliseconds / 1000).toFixed(1).padStart(5)} s`);
  });
  const failed = results.filter(({ passed }) => !passed);
  for (const { check, output } of failed) console.log(`\n${styleText('bold', check.name)}\n${output.trim()}`);
  // What passed may still have something to say, such as a dangerous change of the schema.
  const warnings = results.filter(
    ({ check, passed, output }) => passed && check.name === 'breaking changes' && /dangerous|allowed/.test(output),
  );
  for (const { check, output } of warnings) console.log(`\n${styleText('bold', check.name)}\n${output.trim()}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
