// Proves that the linter catches each import arrow of the layout, and lets through what the arrows allow.
import { describe, expect, test } from '@jest/globals';
import { ESLint } from 'eslint';

const root = new URL('../', import.meta.url).pathname;

/** Only the rules under test, without type information: the snippets are files that need not exist. */
const arrowRules = [
  'no-restricted-imports',
  'no-restricted-properties',
  'no-restricted-syntax',
  'no-restricted-globals',
  'no-console',
  'max-lines',
  'baedal/opening-comment',
];
const eslint = new ESLint({
  cwd: root,
  overrideConfig: [
    { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false, project: null } } },
  ],
  ruleFilter: ({ ruleId }) => arrowRules.includes(ruleId),
});

/** The rules that a line breaks when it stands in the file `filePath`. */
async function broken(filePath: string, line: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(`// A file.\n${line}\n`, { filePath: `${root}${filePath}` });
  const problems = result?.messages ?? [];
  expect(problems.filter(({ fatal }) => fatal === true)).toEqual([]);
  return problems.map(({ ruleId }) => ruleId);
}

describe('an import against the arrows is refused', () => {
  test.each([
    ['schema/compose.ts', '../service/errors.ts'],
    ['service/outbox.ts', '../subgraphs/order/order.ts'],
    ['service/outbox.ts', '../router/main.ts'],
    ['service/outbox.ts', '../dev/stack.ts'],
    ['service/outbox.ts', 'nats'],
    ['router/main.ts', '../subgraphs/order/order.ts'],
    ['router/subscriptions/source.ts', '../../subgraphs/order/order.ts'],
    ['router/subscriptions/source.ts', '../../schema/events.ts'],
    ['router/subscriptions/source.ts', 'nats'],
    ['router/main.ts', '../dev/stack.ts'],
    ['subgraphs/order/use-cases.ts', '../payment/payment.ts'],
    ['subgraphs/order/migrations/0001.ts', '../../payment/payment.ts'],
    ['subgraphs/order/persistence.test.ts', '../payment/payment.ts'],
    ['subgraphs/order/main.ts', '../../router/main.ts'],
    ['subgraphs/order/main.ts', '../../dev/stack.ts'],
    ['subgraphs/order/consumers.ts', 'nats'],
    ['subgraphs/order/consumers.ts', './main.ts'],
    ['subgraphs/order/consumers.ts', './resolvers.ts'],
    ['subgraphs/order/resolvers.ts', './consumers.ts'],
    ['subgraphs/order/use-cases.ts', './resolvers.ts'],
    ['subgraphs/order/use-cases.ts', './consumers.ts'],
    ['subgraphs/order/use-cases.ts', './resolver-types.ts'],
    ['subgraphs/order/use-cases.ts', 'graphql'],
    ['subgraphs/order/persistence.ts', './use-cases.ts'],
    ['subgraphs/order/menu-persistence.ts', './use-cases.ts'],
    ['subgraphs/order/config.ts', './persistence.ts'],
    ['subgraphs/order/order.ts', './menu.ts'],
    ['subgraphs/payment/payment.ts', 'node:crypto'],
    ['subgraphs/delivery/delivery.ts', '../../service/errors.ts'],
  ])('%s ← %s', async (file, specifier) => {
    expect(await broken(file, `import { thing } from '${specifier}';`)).toContain('no-restricted-imports');
  });

  test.each([
    ['subgraphs/order/order.ts', './persistence.ts'],
    ['subgraphs/order/order.ts', '@mikro-orm/core'],
    ['router/main.ts', '../schema/events.ts'],
    ['subgraphs/order/main.ts', '../delivery/delivery.ts'],
  ])('not even types: %s ← %s', async (file, specifier) => {
    expect(await broken(file, `import type { Thing } from '${specifier}';`)).toContain('no-restricted-imports');
  });

  test('not by re-exporting or importing dynamically', async () => {
    expect(await broken('router/main.ts', `export * from '../subgraphs/order/order.ts';`)).toEqual([
      'no-restricted-imports',
    ]);
    expect(await broken('router/main.ts', `await import('../subgraphs/order/order.ts');`)).toEqual([
      'no-restricted-syntax',
    ]);
  });
});

describe('an import along the arrows is welcome', () => {
  test.each([
    ['schema/compose.ts', './events.ts'],
    ['service/outbox.ts', '../schema/events.ts'],
    ['service/nats.ts', 'nats'],
    ['router/subscriptions/source.ts', '../../service/nats.ts'],
    ['router/subscriptions/source.ts', '../../schema/subject.ts'],
    ['router/subscriptions/source.int.test.ts', '../../dev/nats.ts'],
    ['subgraphs/order/main.ts', './consumers.ts'],
    ['subgraphs/order/consumers.ts', './use-cases.ts'],
    ['subgraphs/order/resolvers.ts', './use-cases.ts'],
    ['subgraphs/order/resolvers.ts', './persistence.ts'],
    ['subgraphs/order/use-cases.ts', './order.ts'],
    ['subgraphs/order/use-cases.ts', './persistence.ts'],
    ['subgraphs/order/persistence.ts', '../../service/database.ts'],
    ['subgraphs/order/migrations/0001.ts', '../persistence.ts'],
    ['subgraphs/order/persistence.int.test.ts', '../../dev/postgres.ts'],
    ['tests/story.e2e.ts', '../dev/stack.ts'],
  ])('%s ← %s', async (file, specifier) => {
    expect(await broken(file, `import { thing } from '${specifier}';`)).toEqual([]);
  });

  test.each([
    ['subgraphs/order/order.ts', './menu.ts'],
    ['subgraphs/order/order.ts', '../../schema/events.ts'],
    ['service/consumer.ts', 'nats'],
    ['router/subscriptions/source.ts', 'nats'],
  ])('types only: %s ← %s', async (file, specifier) => {
    expect(await broken(file, `import type { Thing } from '${specifier}';`)).toEqual([]);
  });
});

describe('other habits of the layout', () => {
  test.each([
    ['subgraphs/order/use-cases.ts', `export const url = process.env['URL'];`, 'no-restricted-properties'],
    ['service/outbox.ts', `export const { env } = process;`, 'no-restricted-properties'],
    ['subgraphs/order/order.ts', 'export const now = Date.now();', 'no-restricted-syntax'],
    ['subgraphs/order/order.ts', 'export const now = new Date();', 'no-restricted-syntax'],
    ['subgraphs/order/order.ts', 'export const chance = Math.random();', 'no-restricted-syntax'],
    ['subgraphs/order/order.ts', 'export const id = crypto.randomUUID();', 'no-restricted-globals'],
    ['service/outbox.ts', `console.log('here');`, 'no-console'],
  ])('%s: %s', async (file, line, rule) => {
    expect(await broken(file, line)).toEqual([rule]);
  });

  test.each([
    ['subgraphs/order/config.ts', `export const url = process.env['URL'];`],
    ['dev/token.ts', `console.log(process.env['URL']);`],
    ['service/lifecycle.ts', `console.error('the configuration has problems');`],
    ['subgraphs/order/order.ts', 'export const at = (text: string) => new Date(text);'],
  ])('%s may say %s', async (file, line) => {
    expect(await broken(file, line)).toEqual([]);
  });

  test('a file has 400 lines at most', async () => {
    expect(await broken('service/outbox.ts', '//\n'.repeat(398))).toEqual([]);
    expect(await broken('service/outbox.ts', '//\n'.repeat(400))).toEqual(['max-lines']);
  });

  test('a file opens with a comment', async () => {
    const [result] = await eslint.lintText('export const one = 1;\n', { filePath: `${root}service/one.ts` });
    expect(result?.messages.map(({ ruleId }) => ruleId)).toEqual(['baedal/opening-comment']);
  });
});
