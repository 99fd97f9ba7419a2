// Who may have which field: refusals with their paths, what is left to plan, and that rules hold through fragments and interfaces.
import { describe, expect, test } from '@jest/globals';
import { getOperationAST, parse, print, validate } from 'graphql';
import { composeSupergraph } from '../schema/compose.ts';
import type { Viewer } from '../service/identity.ts';
import { authorize, permit } from './auth.ts';
import { loadSupergraph } from './supergraph.ts';
import { reviewSdl, userSdl } from './test-subgraphs.ts';

const supergraph = loadSupergraph(
  composeSupergraph([
    { name: 'users', url: 'http://users', sdl: userSdl },
    { name: 'reviews', url: 'http://reviews', sdl: reviewSdl },
  ]).supergraphSdl,
);

function operationOf(text: string): Parameters<typeof permit>[0] {
  const document = parse(text);
  expect(validate(supergraph.schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('no operation');
  return { supergraph, document, operation };
}

const viewer = (...scopes: string[]): Viewer => ({
  sub: 'a',
  scopes: new Set(scopes),
  expiresAt: Infinity,
  token: 't',
});
const refusals = (text: string, who: Viewer | undefined): string[] =>
  authorize(operationOf(text), who).map(
    ({ path, extensions }) => `${String(extensions['code'])} ${(path ?? []).join('.')}`,
  );
const left = (text: string, who: Viewer | undefined): string | undefined => {
  const { document } = permit(operationOf(text), who);
  return document === undefined ? undefined : print(document).replaceAll(/\s+/g, ' ');
};

describe('authorisation', () => {
  test('leaves an open operation as it is, the very same document', () => {
    const operation = operationOf('{ users { id name reviews { text } } }');
    expect(permit(operation, undefined)).toEqual({ errors: [], document: operation.document });
    expect(permit(operation, undefined).document).toBe(operation.document);
  });

  test('asks for a token where a field does', () => {
    expect(refusals('{ me { id } users { email } }', undefined)).toEqual([
      'UNAUTHENTICATED me',
      'UNAUTHENTICATED users.@.email',
    ]);
    expect(refusals('{ me { id } users { email } }', viewer())).toEqual([]);
  });

  test('asks for the scopes that a field does', () => {
    expect(refusals('{ users { secret } }', undefined)).toEqual(['UNAUTHENTICATED users.@.secret']);
    expect(refusals('{ users { secret } }', viewer('other'))).toEqual(['FORBIDDEN users.@.secret']);
    expect(refusals('{ users { secret } }', viewer('secrets:read'))).toEqual([]);
  });

  test.each([
    [['users:write'], true],
    [['admin', 'danger'], true],
    [['admin'], false],
    [['danger'], false],
    [[], false],
  ])('with scopes %j: one group whole will do, a part of one will not', (scopes, allowed) => {
    expect(refusals('mutation { remove(id: 1) }', viewer(...scopes))).toEqual(allowed ? [] : ['FORBIDDEN remove']);
  });

  test('removes what is refused and keeps the rest', () => {
    expect(left('query Q { users { name email } me { id } }', undefined)).toBe('query Q { users { name } }');
  });

  test('asks for __typename where nothing else is left, so that null still means absent', () => {
    expect(left('{ users { email } }', undefined)).toBe('{ users { __typename } }');
  });

  test('leaves nothing to plan when all root fields are refused', () => {
    expect(left('{ me { id } }', undefined)).toBeUndefined();
    expect(left('{ me { id } __typename }', undefined)).toBe('{ __typename }');
  });

  test('follows aliases and fragments, and tells each place once', () => {
    const text = `query { all: users { ...U mail: email ... on User { email } } again: users { ...U } } fragment U on User { mail: email }`;
    expect(refusals(text, undefined)).toEqual([
      'UNAUTHENTICATED all.@.mail',
      'UNAUTHENTICATED all.@.email',
      'UNAUTHENTICATED again.@.mail',
    ]);
    expect(left(text, undefined)).not.toMatch(/email/);
  });

  test('tells nothing of what stands inside a refused field', () => {
    expect(refusals('{ me { email secret } }', undefined)).toEqual(['UNAUTHENTICATED me']);
  });

  test('of a type holds for each field that returns it', () => {
    expect(refusals('{ users { vault { content } } }', undefined)).toEqual(['UNAUTHENTICATED users.@.vault']);
  });

  test('of one possible type holds for a field of the interface, also where composition did not put it there', () => {
    expect(refusals('{ node(id: "v") { id } }', undefined)).toEqual(['UNAUTHENTICATED node']);
    const bare = { ...supergraph, authRules: { ...supergraph.authRules, types: new Map([['Vault', {}]]) } };
    const refused = (text: string): unknown[] =>
      authorize({ ...operationOf(text), supergraph: bare }, undefined).map(({ path }) => path?.join('.'));
    expect(refused('{ node(id: "v") { id } }')).toEqual(['node.id']);
    expect(refused('{ node(id: "v") { ... on User { id } } }')).toEqual([]);
    expect(refused('{ node(id: "v") { ... on Vault { __typename } } }')).toEqual(['node.__typename']);
  });

  test('gives equal viewers the same answer object, so the hot path works nothing out', () => {
    const operation = operationOf('{ users { secret } }');
    expect(permit(operation, viewer('x'))).toBe(permit(operation, viewer('y')));
    expect(permit(operation, viewer('x'))).not.toBe(permit(operation, undefined));
  });
});
