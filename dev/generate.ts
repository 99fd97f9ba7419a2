// `npm run generate`: writes every generated file of the repository; with --check, only names those that are out of date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
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
export async function staleFiles(files: ReadonlyMap<string, string>): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of files) {
    if ((await present(path)) !== text) stale.push(path);
  }
  return stale;
}

async function present(path: string): Promise<string | undefined> {
  return readFile(new URL(path, root), 'utf8').catch(() => undefined);
}

async function formatted(path: string, text: string): Promise<string> {
  const filepath = fileURLToPath(new URL(path, root));
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}

if (import.meta.main) {
  const files = await generatedFiles();
  const stale = await staleFiles(files);
  if (process.argv.includes('--check')) {
    for (const path of stale) console.log(`${path} is out of date: run "npm run generate" and commit it`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const path of stale) {
      await mkdir(dirname(fileURLToPath(new URL(path, root))), { recursive: true });
      await writeFile(new URL(path, root), files.get(path) ?? '');
      console.log(`wrote ${path}`);
    }
  }
}
