// How an id becomes one token of a NATS subject, for those who publish and those who watch.

/**
 * Encodes any string as one subject token: letters, digits, `_` and `-` stay, every other UTF-8 byte becomes `=XX`.
 * Injective (`=` itself is encoded), so two ids never share a subject, and no `.`, `*`, `>` or space can reach one.
 * An empty string becomes `=`, as an empty token is not allowed.
 */
export function subjectToken(id: string): string {
  if (id === '') return '=';
  return id.replaceAll(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character, 'utf8')].map((byte) => `=${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
}
