// Finds the text of an operation that is asked for by its hash or id (Apollo's persisted queries), and keeps out what is not on
// the list of operations, when there is one.
import { stripIgnoredCharacters } from 'graphql';
import { createHash } from 'node:crypto';
import { CodedError } from '../service/errors.ts';
import { createLruCache } from './lru.ts';
import type { PersistedList } from './persisted-manifest.ts';

export interface PersistedOptions {
  /** Whether clients may have texts remembered here and send their hash from then on. */
  readonly automatic: boolean;
  /** Texts that are remembered for clients, at most. */
  readonly cacheEntries: number;
  /** What becomes of operations that are not on the list: refused, or only told. */
  readonly unlisted: 'enforce' | 'log';
  readonly onUnlisted: (operation: { readonly sha256: string; readonly refused: boolean }) => void;
  /** Undefined: there is no list, every operation may be asked. */
  readonly list: PersistedList | undefined;
}

type Params = Readonly<Record<string, unknown>>;

export interface PersistedOperations {
  /**
   * The parameters with the text of the operation in them; the same object when nothing stands in for it.
   * @throws CodedError PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_NOT_SUPPORTED, OPERATION_NOT_LISTED, BAD_REQUEST
   */
  resolve(params: Params): Params;
  /** Another list takes over. */
  use(list: PersistedList): void;
}

const maxCharacters = 8_000_000;

export function createPersistedOperations(options: PersistedOptions): PersistedOperations {
  const { automatic, unlisted, onUnlisted } = options;
  const remembered = createLruCache<string>({ maxEntries: options.cacheEntries, maxWeight: maxCharacters });
  let list = options.list && indexed(options.list);
  const enforced = (): boolean => list !== undefined && unlisted === 'enforce';

  const find = (id: string): string => {
    const text = list?.byId.get(id) ?? (automatic && !enforced() ? remembered.get(id) : undefined);
    if (text !== undefined) return text;
    // Clients look for these very messages.
    if (!automatic && list === undefined)
      throw new CodedError('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported');
    throw new CodedError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
  };
  const check = (text: string): void => {
    if (list === undefined || list.has(text)) return;
    const refused = unlisted === 'enforce';
    onUnlisted({ sha256: sha256(text), refused });
    if (refused) throw new CodedError('OPERATION_NOT_LISTED');
  };

  return {
    resolve(params) {
      const { query } = params;
      const extensions = objectOf(params['extensions']);
      const given = objectOf(extensions?.['persistedQuery']);
      if (given === undefined) {
        if (list !== undefined && typeof query === 'string') check(query);
        return params;
      }
      const { version, sha256Hash: id } = given;
      if (version !== 1 || typeof id !== 'string') {
        throw new CodedError('BAD_REQUEST', 'extensions.persistedQuery needs version 1 and a sha256Hash.');
      }
      const { persistedQuery: _used, ...others } = extensions ?? {};
      const { extensions: _all, ...plain } = params;
      const rest = Object.keys(others).length === 0 ? plain : { ...plain, extensions: others };
      if (typeof query !== 'string' || query === '') return { ...rest, query: find(id) };
      check(query);
      if (list?.byId.get(id) !== query) {
        if (sha256(query) !== id) throw new CodedError('BAD_REQUEST', 'The sha256Hash is not that of the query.');
        if (automatic && !enforced()) remembered.set(id, query, query.length);
      }
      return rest;
    },
    use(next) {
      list = indexed(next);
    },
  };
}

/** Texts count as the same when they differ in white space, commas and comments only. */
function indexed(byId: PersistedList): { readonly byId: PersistedList; has(text: string): boolean } {
  const exact = new Set(byId.values());
  const stripped = new Set([...exact].map((text) => stripIgnoredCharacters(text)));
  const longest = Math.max(0, ...[...exact].map(({ length }) => length));
  return {
    byId,
    has(text) {
      if (exact.has(text)) return true;
      // Whoever sends very much around a known operation wants to keep us busy.
      if (text.length > 4 * longest) return false;
      try {
        return stripped.has(stripIgnoredCharacters(text));
      } catch {
        return false;
      }
    },
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** An object, also as the JSON that a query string carries. */
function objectOf(value: unknown): Params | undefined {
  if (typeof value === 'string' && value.startsWith('{')) {
    try {
      return objectOf(JSON.parse(value));
    } catch {
      return undefined;
    }
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Params) : undefined;
}
