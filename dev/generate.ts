// `npm run generate`: writes every generated file of the repository; with --check, only names those that are out of date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { composeSupergraph, readSubgraphs } from '../schema/compose.ts';
import { configurationPage, errorsPage } from './reference-pages.ts';
import { resolverTypes } from './resolver-types.ts';

const root = new URL('../', import.meta.url);

/** The text of every generated file, by its path in the repository. Throws when the subgraphs do not compose. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const subgraphs = readSubgraphs();
  const { supergraphSdl, apiSdl } = composeSupergraph(subgraphs);
  const files = new Map([
    ['schema/supergraph.graphql', supergraphSdl],
    ['schema/api.graphql', apiSdl],
  ]);
  for (const { name, url, sdl } of subgraphs) {
    if (!url.startsWith('http')) continue;
    const path = `subgraphs/${name}/resolver-types.ts`;
    files.set(path, await formatted(path, resolverTypes(name, sdl)));
  }
  files.set('docs/errors.md', await formatted('docs/errors.md', errorsPage()));
  files.set('docs/configuration.md', await formatted('docs/configuration.md', await configurationPage()));
  return files;
}

/** The generated files that are missing or differ from what is committed. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of await generatedFiles()) {
    if ((await present(path)) !== text) stale.push(path);
  }
  return stale;
}

/** Writes what is out of date and answers its paths. */
async function write(): Promise<string[]> {
  const files = await generatedFiles();
  const written: string[] = [];
  for (const [path, text] of files) {
    if ((await present(path)) === text) continue;
    await mkdir(dirname(new URL(path, root).pathname), { recursive: true });
    await writeFile(new URL(path, root), text);
    written.push(path);
  }
  return written;
}

async function present(path: string): Promise<string | undefined> {
  return readFile(new URL(path, root), 'utf8').catch(() => undefined);
}

async function formatted(path: string, text: string): Promise<string> {
  const filepath = new URL(path, root).pathname;
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const stale = await staleFiles();
    for (const path of stale) console.log(`${path} is out of date: run "npm run generate" and commit it`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const path of await write()) console.log(`wrote ${path}`);
  }
}
