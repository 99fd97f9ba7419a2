// `npm run mutations [-- --only PATTERN]`: breaks each guarantee in a copy of the tree and runs the test that must notice it.
// Exits 1 when a test does not pass unbroken, or passes although its guarantee is broken.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { cacheFolder, root } from '../../dev/folders.ts';
import { mutations } from './list.ts';
import type { Mutation } from './list.ts';

interface Outcome {
  readonly passed: number;
  readonly failed: readonly string[];
  /** What went wrong before any test could run, such as an edit that does not compile. */
  readonly broken: string | undefined;
}

const run = promisify(execFile);
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = new RegExp(values.only ?? '');
const chosen = mutations.filter(({ name }) => only.test(name));
const tree = await mkdtemp(join(tmpdir(), 'baedal-mutations-'));
try {
  await copyTree();
  const survivors: string[] = [];
  for (const mutation of chosen) {
    const unbroken = await runTest(mutation);
    if (unbroken.failed.length > 0 || unbroken.passed === 0 || unbroken.broken !== undefined) {
      survivors.push(mutation.name);
      console.log(
        `INVALID   ${mutation.breaks} ${mutation.name}: the test does not pass unbroken (${describe(unbroken)})`,
      );
      continue;
    }
    const restore = await edit(mutation);
    const outcome = await runTest(mutation);
    await restore();
    const isCaught = outcome.failed.length > 0 && outcome.broken === undefined;
    if (!isCaught) survivors.push(mutation.name);
    console.log(`${isCaught ? 'caught   ' : 'SURVIVED '} ${mutation.breaks} ${mutation.name}: ${describe(outcome)}`);
  }
  console.log(`${String(chosen.length - survivors.length)} of ${String(chosen.length)} mutations caught`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
} finally {
  await rm(tree, { recursive: true, force: true });
}

/** The files that git knows or would know, as they are now. Nothing of the checkout itself is changed. */
async function copyTree(): Promise<void> {
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root });
  for (const file of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    // A file that git still knows may be gone.
    await cp(join(root, file), join(tree, file)).catch(() => undefined);
  }
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  await mkdir(join(tree, '.data'), { recursive: true });
  await mkdir(cacheFolder, { recursive: true });
  await symlink(cacheFolder, join(tree, '.data', 'cache'));
}

/** Makes the edit; gives how to undo it. */
async function edit({ name, file, from, to }: Mutation): Promise<() => Promise<void>> {
  const path = join(tree, file);
  const text = await readFile(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`"${name}": its text does not stand exactly once in ${file}`);
  await writeFile(
    path,
    text.replace(from, () => to),
  );
  return () => writeFile(path, text);
}

async function runTest({ caughtBy }: Mutation): Promise<Outcome> {
  const report = join(tree, 'report.json');
  await rm(report, { force: true });
  const jest = join(tree, 'node_modules', 'jest', 'bin', 'jest.js');
  const options = ['--experimental-vm-modules', '--no-warnings', jest, '--runTestsByPath', caughtBy.file];
  const selection = ['-t', caughtBy.name, '--json', '--outputFile', report, '--forceExit'];
  const failure = await run(process.execPath, [...options, ...selection], {
    cwd: tree,
    timeout: 300_000,
    maxBuffer: 64 * 1024 * 1024,
  }).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const text = await readFile(report, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: [], broken: failure ?? 'no report' };
  const { numRuntimeErrorTestSuites, numPassedTests, testResults } = JSON.parse(text) as {
    numRuntimeErrorTestSuites: number;
    numPassedTests: number;
    testResults: readonly { assertionResults: readonly { title: string; status: string }[] }[];
  };
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  return {
    passed: numPassedTests,
    failed: [...new Set(all.filter(({ status }) => status === 'failed').map(({ title }) => title))],
    broken: numRuntimeErrorTestSuites > 0 ? 'the test file could not run' : undefined,
  };
}

function describe({ passed, failed, broken }: Outcome): string {
  return (
    broken ?? (failed.length > 0 ? failed.map((title) => `"${title}"`).join(', ') : `${String(passed)} tests passed`)
  );
}
