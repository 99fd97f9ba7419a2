// The breaking-change report: the public schema as it stands against the one of the last commit on main.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify, styleText } from 'node:util';
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

const root = fileURLToPath(new URL('../', import.meta.url));
const schemaFile = 'schema/api.graphql';
const allowedFile = 'schema/breaking-allowed.txt';

/** What changed for clients. Each change is one line as graphql-js words it: `FIELD_REMOVED: Menu.name was removed.` */
export interface SchemaChanges {
  /** Would break a client, and no line of the allow-list excuses it. */
  readonly breaking: readonly string[];
  /** Would break a client, and is excused; with the reason. */
  readonly allowed: readonly string[];
  /** May surprise a client, such as a new value of an enum. */
  readonly dangerous: readonly string[];
}

/** Compares two versions of a public schema, given as SDL. `allowed` maps a change to the reason that excuses it. */
export function compareSchemas(before: string, after: string, allowed: ReadonlyMap<string, string>): SchemaChanges {
  const [from, to] = [buildSchema(before), buildSchema(after)];
  const line = ({ type, description }: { type: string; description: string }): string => `${type}: ${description}`;
  const breaking = findBreakingChanges(from, to).map(line);
  return {
    breaking: breaking.filter((change) => !allowed.has(change)),
    allowed: breaking.flatMap((change) => {
      const reason = allowed.get(change);
      return reason === undefined ? [] : [`${change} (${reason})`];
    }),
    dangerous: findDangerousChanges(from, to).map(line),
  };
}

/**
 * Reads the allow-list: one change on a line, as the report words it, then ` # ` and the reason. Empty lines and lines that
 * begin with `#` count for nothing.
 * @throws Error naming the first line that has no reason.
 */
export function parseAllowed(text: string): ReadonlyMap<string, string> {
  const allowed = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [change, reason] = line.split(' # ');
    if (change === undefined || reason === undefined || reason.trim() === '') {
      throw new Error(`${allowedFile}:${String(index + 1)}: give the change, then " # " and the reason`);
    }
    allowed.set(change.trim(), reason.trim());
  }
  return allowed;
}

/**
 * The commit to compare with: main as the remote has it, else the local main, else HEAD. When that is the very commit that
 * is checked out, unchanged, the one before it, so that the check on main itself still sees what the last commit did.
 */
export async function baseCommit(repository: string = root): Promise<string | undefined> {
  const head = await git(repository, 'rev-parse', '--verify', '--quiet', 'HEAD^{commit}');
  for (const candidate of ['origin/main', 'main', 'HEAD']) {
    const commit = await git(repository, 'rev-parse', '--verify', '--quiet', `${candidate}^{commit}`);
    if (commit === undefined) continue;
    const changed = (await git(repository, 'diff', '--quiet', 'HEAD', '--', schemaFile)) === undefined;
    if (commit !== head || changed) return commit;
    return (await git(repository, 'rev-parse', '--verify', '--quiet', `${commit}^1`)) ?? commit;
  }
  return undefined;
}

/** The public schema at a commit; undefined when it had none. */
export async function schemaAt(commit: string, repository: string = root): Promise<string | undefined> {
  return git(repository, 'show', `${commit}:${schemaFile}`);
}

/** The output of a git command; undefined when it fails, or where there is no git. */
async function git(repository: string, ...args: readonly string[]): Promise<string | undefined> {
  // Inside a git hook, GIT_DIR and its like would point elsewhere than `repository`.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  return promisify(execFile)('git', args, { cwd: repository, env, maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout }) => (args[0] === 'show' ? stdout : stdout.trim()),
    () => undefined,
  );
}

async function report(base: string | undefined): Promise<number> {
  const commit = base ?? (await baseCommit());
  const before = commit === undefined ? undefined : await schemaAt(commit);
  if (commit === undefined || before === undefined) {
    console.log(`nothing to compare with: ${commit ?? 'no commit'} has no ${schemaFile}`);
    return base === undefined ? 0 : 1;
  }
  const allowed = parseAllowed(await readFile(`${root}${allowedFile}`, 'utf8'));
  const changes = compareSchemas(before, await readFile(`${root}${schemaFile}`, 'utf8'), allowed);
  for (const change of changes.dangerous) console.log(`${styleText('yellow', 'dangerous')} ${change}`);
  for (const change of changes.allowed) console.log(`${styleText('yellow', 'allowed')}   ${change}`);
  for (const change of changes.breaking) console.log(`${styleText('red', 'breaking')}  ${change}`);
  const { breaking } = changes;
  console.log(`${String(breaking.length)} breaking changes of the public schema since ${commit.slice(0, 12)}`);
  if (breaking.length === 0) return 0;
  console.log(
    `Keep the old form beside the new one (@deprecated), or excuse the change with a line in ${allowedFile}.`,
  );
  return 1;
}

if (import.meta.main) {
  const at = process.argv.indexOf('--base');
  process.exitCode = await report(at === -1 ? undefined : process.argv[at + 1]);
}
