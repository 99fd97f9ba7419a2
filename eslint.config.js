// Lint rules: typescript-eslint at its strictest, and the import arrows of the layout (which folder and file may know which).
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Tests, and what several of them share beside the code that they test. */
const tests = ['**/*.test.ts', '**/*.e2e.ts', 'tests/**/*.ts', '**/testing/**/*.ts', '**/test-*.ts', '**/*-testing.ts'];
const tooling = ['dev/**/*.ts', 'tests/**/*.ts', 'bench/**/*.ts'];

/** A forbidden import: a pattern over the specifier as written, and what to do instead. */
const forbid = (regex, message) => ({ regex, message });

const noOtherSubgraph = [
  forbid(
    '^(\\.\\./)+(order|payment|delivery)/',
    'A subgraph never imports another: they meet in schema/ and in messages.',
  ),
  forbid('^(\\.\\./)+subgraphs/', 'A subgraph never imports another: they meet in schema/ and in messages.'),
  forbid('^(\\.\\./)+router/', 'A subgraph knows nothing of the router.'),
];
const noDev = [forbid('^(\\.\\./)+(dev|tests|bench)/', 'Processes never import tools, tests or benchmarks.')];
const noNats = [
  {
    ...forbid('^(nats|@nats-io/)', 'Only service/nats.ts calls the NATS client; elsewhere its types at most.'),
    allowTypeImports: true,
  },
];
/** A file of this subgraph, by the layer its name tells: `use-cases.ts`, `cancel-use-cases.ts`. */
const layer = (names, message) => forbid(`^\\./([a-z-]+-)?(${names})\\.ts$`, message);
const aggregates = ['order', 'payment', 'delivery']
  .map((name) => `subgraphs/${name}/${name}.ts`)
  .concat('subgraphs/order/menu.ts');

const subgraph = [...noOtherSubgraph, ...noDev, ...noNats];

/**
 * The import arrows. One row for each kind of file; where two rows fit a file, the later one counts alone.
 * Inside a subgraph: resolvers and consumers → use-cases → aggregate and persistence.
 */
const arrows = [
  { files: ['schema/**/*.ts'], patterns: [forbid('^\\.\\./', 'schema/ imports only schema/.'), ...noNats] },
  {
    files: ['service/**/*.ts'],
    patterns: [forbid('^\\.\\./(?!schema/)', 'service/ imports only schema/ and service/.'), ...noNats],
  },
  {
    files: ['service/nats.ts'],
    patterns: [forbid('^\\.\\./(?!schema/)', 'service/ imports only schema/ and service/.')],
  },
  {
    files: ['router/**/*.ts'],
    patterns: [
      forbid('^(\\.\\./)+subgraphs/', 'The router knows subgraphs by their schema only.'),
      forbid('^(\\.\\./)+schema/events\\.ts$', 'The router knows no domain word: events come from the supergraph.'),
      ...noDev,
      ...noNats,
    ],
  },
  { files: ['subgraphs/*/**/*.ts'], patterns: [...subgraph, layer('main', 'main.ts is the top: nothing imports it.')] },
  { files: ['subgraphs/*/main.ts'], patterns: subgraph },
  {
    files: ['subgraphs/*/*resolvers.ts'],
    patterns: [...subgraph, layer('main|consumers', 'Resolvers and consumers are side by side; both call use cases.')],
  },
  {
    files: ['subgraphs/*/*consumers.ts'],
    patterns: [
      ...subgraph,
      layer('main|resolvers|resolver-types', 'Resolvers and consumers are side by side; both call use cases.'),
    ],
  },
  {
    files: ['subgraphs/*/*use-cases.ts'],
    patterns: [
      ...subgraph,
      layer(
        'main|resolvers|resolver-types|consumers',
        'A use case knows neither GraphQL nor the consumers that call it.',
      ),
      forbid('^graphql$', 'A use case knows no GraphQL.'),
    ],
  },
  {
    files: ['subgraphs/*/*persistence.ts'],
    patterns: [
      ...subgraph,
      layer('main|resolvers|resolver-types|consumers|use-cases', 'Persistence is below the use cases.'),
      forbid('^graphql$', 'Persistence knows no GraphQL.'),
    ],
  },
  {
    files: ['subgraphs/*/*config.ts'],
    patterns: [...subgraph, forbid('^\\./', 'Configuration depends on nothing else of the subgraph.')],
  },
  {
    files: aggregates,
    patterns: [
      {
        regex: '^(?!\\.\\./\\.\\./schema/|\\./(order|menu|payment|delivery)\\.ts$)',
        message: 'An aggregate is pure: it imports types of schema/ and of other aggregates only.',
      },
      { regex: '.', allowTypeImports: true, message: 'An aggregate is pure: it imports only types.' },
    ],
  },
];

const environment = {
  object: 'process',
  property: 'env',
  message: 'Only config.ts files read the environment, through service/env.ts.',
};

/** The arrows are read from static imports; a dynamic one would pass beside them. */
const dynamicImport = { selector: 'ImportExpression', message: 'Import statically, so that the import arrows hold.' };

const impure = 'An aggregate is pure: no clock, chance or I/O; take the value as a parameter.';

/** Each file opens with a comment that says what it is for. */
const openingComment = {
  create: (context) => ({
    Program(node) {
      const first = context.sourceCode.getAllComments()[0];
      if (first?.loc.start.line === 1) return;
      context.report({ node, loc: { line: 1, column: 0 }, message: 'Open the file with a comment: what it is for.' });
    },
  }),
};

export default defineConfig(
  { ignores: ['node_modules/', '.data/', 'test-output/', 'coverage/', '**/*.js', '**/*.cjs', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { baedal: { rules: { 'opening-comment': openingComment } } },
    rules: {
      'baedal/opening-comment': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      'no-console': 'error',
      'no-restricted-properties': ['error', environment],
      'no-restricted-syntax': ['error', dynamicImport],
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // `text || otherwise` is how an empty string counts as absent.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      // Types are structural here: a class type of a library is an interface like any other.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // `readonly T[]` and `ReadonlyArray<A | B>` each have their place.
      '@typescript-eslint/array-type': 'off',
      // The only enums here are graphql's, and their strings are words of the specification.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // It asks for `!`, which another rule forbids.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // A number in a message needs no ceremony; objects, null and undefined still do.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `return log.warn(…)` as an early exit reads well, and `Promise.withResolvers<void>()` is what it is called.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Interfaces here are closures written as methods: there is no `this` to lose.
      '@typescript-eslint/unbound-method': 'off',
      // An async function without await keeps an interface's promise.
      '@typescript-eslint/require-await': 'off',
      // tsc demands the brackets (noPropertyAccessFromIndexSignature).
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
    },
  },
  ...arrows.map(({ files, patterns }) => ({
    files,
    ignores: tests,
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  })),
  {
    files: ['subgraphs/**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: noOtherSubgraph }] },
  },
  {
    files: ['router/**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [forbid('^(\\.\\./)+subgraphs/', 'The router knows no subgraph.')] },
      ],
    },
  },
  {
    files: aggregates,
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'performance', 'crypto', 'fetch', 'setTimeout'].map((name) => ({ name, message: impure })),
      ],
      'no-restricted-syntax': [
        'error',
        dynamicImport,
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: impure },
        { selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']", message: impure },
        { selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']", message: impure },
      ],
    },
  },
  {
    files: ['**/config.ts', ...tooling, ...tests, 'service/telemetry.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['service/lifecycle.ts', ...tooling, ...tests], rules: { 'no-console': 'off' } },
  { files: [...tooling, ...tests], rules: { 'no-restricted-syntax': 'off' } },
  {
    // Generated. Aliases, as an interface does not fit the open map that @apollo/subgraph takes.
    files: ['subgraphs/*/resolver-types.ts'],
    rules: { 'max-lines': 'off', '@typescript-eslint/consistent-type-definitions': 'off' },
  },
);
