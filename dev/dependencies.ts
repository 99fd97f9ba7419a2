// Checks what the project depends on: exact versions, a clean lock file, and a row with reason and licence in docs/dependencies.md.
import { readFile } from 'node:fs/promises';

const root = new URL('../', import.meta.url);

/** The parts of package.json that matter here. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, string>>;
}

/** The parts of package-lock.json that matter here; a package is named by its path under node_modules. */
export interface Lock {
  readonly packages: Readonly<
    Record<string, { version?: string; license?: string; resolved?: string; integrity?: string; deprecated?: string }>
  >;
}

/** Everything wrong with the dependencies, one line each. `page` is the text of docs/dependencies.md. */
export function dependencyProblems(manifest: Manifest, lock: Lock, page: string): string[] {
  const direct = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return [
    ...versionProblems({ ...direct, ...manifest.overrides }),
    ...lockProblems(direct, lock),
    ...pageProblems(Object.keys(direct), lock, page),
  ];
}

function versionProblems(wanted: Readonly<Record<string, string>>): string[] {
  return Object.entries(wanted)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `package.json: ${name} is "${version}": give one exact version`);
}

function lockProblems(direct: Readonly<Record<string, string>>, lock: Lock): string[] {
  const problems: string[] = [];
  for (const [name, version] of Object.entries(direct)) {
    const locked = lock.packages[`node_modules/${name}`]?.version;
    if (locked !== version)
      problems.push(`package-lock.json: ${name} is ${locked ?? 'missing'}, package.json wants ${version}`);
  }
  for (const [path, { resolved, integrity, deprecated }] of Object.entries(lock.packages)) {
    if (path === '') continue;
    if (resolved !== undefined) problems.push(`package-lock.json: ${path} is bound to one registry (${resolved})`);
    if (integrity === undefined) problems.push(`package-lock.json: ${path} has no checksum`);
    if (deprecated !== undefined) problems.push(`package-lock.json: ${path} is deprecated: ${deprecated}`);
  }
  const copies = Object.keys(lock.packages).filter((path) => /(^|\/)node_modules\/graphql$/.test(path));
  if (copies.length > 1) problems.push(`package-lock.json: more than one graphql (${copies.join(', ')})`);
  return problems;
}

/** The page has one table row for each package: name, licence, reason. */
function pageProblems(names: readonly string[], lock: Lock, page: string): string[] {
  const rows = new Map<string, { readonly licence: string; readonly reason: string }>();
  for (const [, cells = '', licence = '', reason = ''] of page.matchAll(/^\| (`.*?) *\| *(.*?) *\| *(.*?) *\|$/gm)) {
    for (const [, name = ''] of cells.matchAll(/`([^`]+)`/g)) rows.set(name, { licence, reason });
  }
  const problems: string[] = [];
  for (const name of names) {
    const row = rows.get(name);
    const licence = lock.packages[`node_modules/${name}`]?.license ?? 'unknown';
    if (row === undefined) problems.push(`docs/dependencies.md: no row for ${name} (${licence})`);
    else if (row.licence !== licence) problems.push(`docs/dependencies.md: ${name} is ${licence}, not ${row.licence}`);
    else if (row.reason === '') problems.push(`docs/dependencies.md: ${name} has no reason`);
  }
  for (const name of rows.keys()) {
    if (!names.includes(name)) problems.push(`docs/dependencies.md: ${name} is not in package.json any more`);
  }
  return problems;
}

if (import.meta.main) {
  const read = async (path: string): Promise<string> => readFile(new URL(path, root), 'utf8');
  const problems = dependencyProblems(
    JSON.parse(await read('package.json')) as Manifest,
    JSON.parse(await read('package-lock.json')) as Lock,
    await read('docs/dependencies.md'),
  );
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
