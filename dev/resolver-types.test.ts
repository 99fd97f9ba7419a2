// The generated resolver types: what they say of an SDL, and that the compiler holds resolvers to it.
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { resolverTypes } from './resolver-types.ts';

const sdl = `
  type Query { dish(id: ID!, hot: Boolean = true, note: String): Dish  dishes: [Dish!]! }
  type Dish @key(fields: "id") { id: ID!  name: String!  taste: Taste!  servedAt: DateTime  cook: Cook }
  type Cook @key(fields: "id", resolvable: false) { id: ID! }
  input DishInput { name: String!  tags: [String!] }
  enum Taste { SWEET SOUR }
  scalar DateTime
`;
const types = resolverTypes('kitchen', sdl);

const folder = fileURLToPath(new URL('.', import.meta.url));

/** What the compiler, with the project's own options, has to say of each of several files that use the generated types. */
function compile<Name extends string>(texts: Readonly<Record<Name, string>>): Record<Name, string> {
  const path = (name: string): string => `${folder}kitchen-${name}.ts`;
  const files = new Map([[path('types'), types]]);
  for (const [name, text] of Object.entries<string>(texts)) {
    files.set(path(name), `import type { Resolvers } from './kitchen-types.ts';\n${text}`);
  }
  const { config } = ts.readConfigFile(`${folder}../tsconfig.json`, (file) => ts.sys.readFile(file)) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, `${folder}..`);
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram([...files.keys()], options, {
    ...host,
    fileExists: (file) => files.has(file) || host.fileExists(file),
    getSourceFile: (file, languageVersion) => {
      const text = files.get(file);
      if (text === undefined) return host.getSourceFile(file, languageVersion);
      return ts.createSourceFile(file, text, languageVersion);
    },
  });
  const messages = (name: string): string =>
    program
      .getSemanticDiagnostics(program.getSourceFile(path(name)))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
      .join('\n');
  return Object.fromEntries(['types', ...Object.keys(texts)].map((name) => [name, messages(name)])) as Record<
    Name,
    string
  >;
}

const model = `interface DishRow { readonly id: string; readonly name: string; readonly taste: number; readonly servedAt: Date }
interface Context { readonly viewer: string }`;
const complete = {
  Query: '{ dish: (_, { id }) => find(id), dishes: () => [find("1")] }',
  name: '',
  taste: `taste: () => 'SWEET',`,
  cook: 'cook: () => null,',
  reference: '__resolveReference: ({ id }) => find(id),',
};
const write = ({ Query, name, taste, cook, reference }: typeof complete): string => `${model}
declare const find: (id: string) => DishRow;
declare const DateTime: import('graphql').GraphQLScalarType;
export const resolvers: Resolvers<Context, { Dish: DishRow }> = { DateTime, Query: ${Query}, Dish: { ${name} ${taste} ${cook} ${reference} } };`;

describe('the text', () => {
  test('names enums, inputs and arguments; null may be given for a default, and a key with a default is there', () => {
    expect(types).toContain(`export type Taste = 'SWEET' | 'SOUR';`);
    expect(types).toMatch(
      /interface DishInput \{readonly name: string;\nreadonly tags\?: readonly \(string\)\[\] \| null;\}/,
    );
    expect(types).toMatch(
      /interface QueryDishArgs \{readonly id: string;\nreadonly hot: boolean \| null;\nreadonly note\?: string \| null;\}/,
    );
  });

  test('asks for a reference resolver only where other subgraphs can ask for the entity', () => {
    expect(types.match(/__resolveReference/g)).toHaveLength(1);
  });
});

describe('the compiler', () => {
  const change = (part: Partial<typeof complete>): string => write({ ...complete, ...part });
  const messages = compile({
    complete: write(complete),
    fieldLacked: change({ cook: '' }),
    fieldOfAnotherType: change({ taste: '' }),
    noReference: change({ reference: '' }),
    noQuery: change({ Query: '{ dish: () => null }' }),
    wrongAnswer: change({ taste: `taste: () => 'BITTER',` }),
    wrongArgument: change({ Query: '{ dish: (_, { key }) => find(key), dishes: () => [] }' }),
    wrongField: change({ name: 'colour: () => null,' }),
  });

  test('takes resolvers that fill what the model lacks', () => {
    expect(messages.complete).toBe('');
  });

  test.each([
    ['misses a field that the model lacks', messages.fieldLacked, /Property 'cook' is missing/],
    ['misses a field that the model holds as another type', messages.fieldOfAnotherType, /Property 'taste' is missing/],
    ['misses the reference resolver of an entity', messages.noReference, /'__resolveReference' is missing/],
    ['misses a query', messages.noQuery, /Property 'dishes' is missing/],
    ['refuses an answer of the wrong type', messages.wrongAnswer, /"BITTER"' is not assignable/],
    ['refuses an argument that does not exist', messages.wrongArgument, /'key' does not exist/],
    ['refuses a field that does not exist', messages.wrongField, /'colour' does not exist/],
  ])('%s', (_, message, expected) => {
    expect(message).toMatch(expected);
  });
});
