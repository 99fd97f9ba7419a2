// From the text of a request to an operation that can be executed: parsed, within the limits, valid, planned. Each text once.
import {
  getOperationAST,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import type { DocumentNode } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { withCode } from './errors.ts';
import { compileOperation } from './executor/operation.ts';
import type { CompiledOperation } from './executor/operation.ts';
import { measureDocument, overLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { createLruCache } from './lru.ts';
import type { LruCache } from './lru.ts';
import type { Supergraph } from './supergraph.ts';

/** An operation ready to be executed, or what is wrong with the request. */
export type Prepared =
  | { readonly ok: true; readonly operation: CompiledOperation }
  | { readonly ok: false; readonly errors: readonly GraphQLError[] };

/** Prepares an operation of `source`; `operationName` chooses among several. Never throws. */
export type PrepareOperation = (supergraph: Supergraph, source: string, operationName: string | undefined) => Prepared;

export interface OperationsOptions {
  readonly limits: Limits;
  /** Whether `__schema` and `__type` are answered. */
  readonly introspection: boolean;
  /** Documents that are remembered, at most. */
  readonly cacheEntries: number;
}

interface KnownDocument {
  readonly document: DocumentNode;
  /** By operation name, as far as asked for. */
  readonly operations: Map<string, Prepared>;
}

/** Good and bad documents are remembered apart, so that bad ones cannot push good ones out. A supergraph has its own caches. */
interface Caches {
  readonly good: LruCache<KnownDocument>;
  readonly bad: LruCache<readonly GraphQLError[]>;
}

const maxGoodCharacters = 32_000_000;
const maxBadCharacters = 4_000_000;

export function createOperations(options: OperationsOptions): PrepareOperation {
  const { limits, introspection, cacheEntries } = options;
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const cachesOf = new WeakMap<Supergraph, Caches>();

  const checkedDocument = (supergraph: Supergraph, source: string): DocumentNode | readonly GraphQLError[] => {
    let document: DocumentNode;
    try {
      document = parse(source, { maxTokens: limits.maxTokens });
    } catch (error) {
      return [parseFailure(error)];
    }
    const tooMuch = overLimits(measureDocument(document), limits);
    if (tooMuch.length > 0) return tooMuch;
    try {
      const invalid = validate(supergraph.schema, document, rules);
      return invalid.length === 0 ? document : invalid.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
    } catch (error) {
      // graphql-js throws where a variable conditions the root field of a subscription.
      return [new CodedError('GRAPHQL_VALIDATION_FAILED', undefined, {}, error)];
    }
  };

  return (supergraph, source, operationName) => {
    let caches = cachesOf.get(supergraph);
    if (caches === undefined) {
      caches = {
        good: createLruCache({ maxEntries: cacheEntries, maxWeight: maxGoodCharacters }),
        bad: createLruCache({ maxEntries: cacheEntries, maxWeight: maxBadCharacters }),
      };
      cachesOf.set(supergraph, caches);
    }
    let known = caches.good.get(source);
    if (known === undefined) {
      const errors = caches.bad.get(source);
      if (errors !== undefined) return { ok: false, errors };
      const checked = checkedDocument(supergraph, source);
      if (!('kind' in checked)) {
        caches.bad.set(source, checked, source.length);
        return { ok: false, errors: checked };
      }
      known = { document: checked, operations: new Map() };
      caches.good.set(source, known, source.length);
    }
    return operationOf(supergraph, known, operationName);
  };
}

function operationOf(supergraph: Supergraph, known: KnownDocument, operationName: string | undefined): Prepared {
  const name = operationName ?? '';
  const prepared = known.operations.get(name);
  if (prepared !== undefined) return prepared;
  // A name that is not in the document is not remembered: there is no end of them.
  if (!getOperationAST(known.document, operationName)) {
    return { ok: false, errors: [new CodedError('OPERATION_RESOLUTION_FAILURE')] };
  }
  const compiled = compile(supergraph, known.document, operationName);
  known.operations.set(name, compiled);
  return compiled;
}

function compile(supergraph: Supergraph, document: DocumentNode, operationName: string | undefined): Prepared {
  try {
    return { ok: true, operation: compileOperation(supergraph, document, operationName) };
  } catch (error) {
    return {
      ok: false,
      errors: [error instanceof GraphQLError ? error : new GraphQLError('', { originalError: toError(error) })],
    };
  }
}

function parseFailure(error: unknown): GraphQLError {
  if (!(error instanceof GraphQLError)) return new CodedError('GRAPHQL_PARSE_FAILED', undefined, {}, error);
  // The parser tells its token limit by words only.
  if (/^Syntax Error: Document contains more that \d+ tokens/.test(error.message)) {
    return new CodedError('MAX_TOKENS_LIMIT');
  }
  return withCode(error, 'GRAPHQL_PARSE_FAILED');
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
