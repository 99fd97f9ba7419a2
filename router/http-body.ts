// What an HTTP request asks: its body, read up to a limit, and the parameters of GraphQL, wherever they stand.
import type { IncomingMessage } from 'node:http';
import type { PersistedOperations } from './persisted-operations.ts';

/** Milliseconds for which the rest of a refused body is read away, so that the client can read why. */
const lingerMs = 2_000;

/** A request with the text of its operation. */
export interface Asked {
  readonly body: unknown;
  readonly search: string;
  readonly params: Readonly<Record<string, unknown>> | undefined;
}

/** Puts the text of a persisted operation in its place. @throws CodedError as `PersistedOperations` does */
export function asked(body: unknown, search: string, persisted: PersistedOperations): Asked {
  const params = paramsOf(body, search);
  const resolved = params && persisted.resolve(withoutEmptyName(params));
  if (resolved === params || resolved === undefined) return { body, search, params };
  return body === undefined
    ? { body, search: searchOf(resolved), params: resolved }
    : { body: resolved, search, params: resolved };
}

/** Some clients send an empty name where they have none. */
function withoutEmptyName(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (params['operationName'] !== '') return params;
  const { operationName: _none, ...named } = params;
  return named;
}

function searchOf(params: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(params).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
  return `?${new URLSearchParams(texts).toString()}`;
}

/** The whole body, or undefined when it is over the limit. */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  const declared = Number(headerOf(request, 'content-length') ?? NaN);
  if (declared > limitBytes) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (): void => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > limitBytes) {
        request.off('data', onData);
        resolve(undefined);
      } else {
        chunks.push(chunk);
        // The stream says so a little later.
        if (bytes === declared) end();
      }
    };
    request.on('data', onData);
    request.once('end', end);
    request.once('error', reject);
  });
}

/** Reads the rest of a body away. */
export function discard(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), lingerMs);
  request.once('close', () => clearTimeout(timer));
}

/** The parameters of a GraphQL request, from its body or its query string. */
function paramsOf(body: unknown, search: string): Record<string, unknown> | undefined {
  if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  return search === '' ? undefined : Object.fromEntries(new URLSearchParams(search));
}

export function isJson(request: IncomingMessage): boolean {
  return /^\s*application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(headerOf(request, 'content-type') ?? '');
}

export const isCompressed = (request: IncomingMessage): boolean =>
  (headerOf(request, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity';

export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
