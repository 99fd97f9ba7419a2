// From the text of a request to an operation that can be executed: parsed, within the limits, valid, planned. Each text once.
import { getOperationAST, GraphQLError, Kind } from 'graphql';
import type { DocumentNode } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { inStage } from '../service/telemetry.ts';
import { createDocumentCheck } from './document-check.ts';
import { compileOperation } from './executor/operation.ts';
import type { CompiledOperation } from './executor/operation.ts';
import type { Exceeded, Limits } from './limits.ts';
import { createLruCache } from './lru.ts';
import type { LruCache } from './lru.ts';
import type { Supergraph } from './supergraph.ts';

/** An operation ready to be executed, or what is wrong with the request. */
export type Prepared =
  | { readonly ok: true; readonly operation: CompiledOperation }
  | { readonly ok: false; readonly errors: readonly GraphQLError[] };

/** Prepares an operation of `source`; `operationName` chooses among several, an empty one counts as none. Never throws. */
export type PrepareOperation = (supergraph: Supergraph, source: string, operationName: string | undefined) => Prepared;

/** Operations as they come in, each prepared once for each supergraph. */
export interface Operations {
  readonly prepare: PrepareOperation;
  /** The operations of one supergraph that were asked for most often, the most used first. */
  mostUsed(supergraph: Supergraph, count: number): readonly UsedOperation[];
}

export interface UsedOperation {
  readonly source: string;
  readonly operationName: string | undefined;
}

export interface OperationsOptions {
  readonly limits: Limits;
  /** Whether `__schema` and `__type` are answered. */
  readonly introspection: boolean;
  /** Documents that are remembered, at most. */
  readonly cacheEntries: number;
  /** Megabytes that those which are right may take, by estimate; absent: 128. */
  readonly cacheMegabytes?: number;
  /** Told of each limit that a request's document is over, also of those that only measure. */
  readonly onExceeded?: (exceeded: Exceeded) => void;
}

interface KnownDocument {
  readonly document: DocumentNode;
  readonly exceeded: readonly Exceeded[];
  /** By operation name, as far as asked for. */
  readonly operations: Map<string, Prepared>;
  /** How often it was asked for. */
  uses: number;
}

/** Good and bad documents are remembered apart, so that bad ones cannot push good ones out. A supergraph has its own caches. */
interface Caches {
  readonly good: LruCache<KnownDocument>;
  readonly bad: LruCache<{ readonly errors: readonly GraphQLError[]; readonly exceeded: readonly Exceeded[] }>;
}

const maxBadCharacters = 4_000_000;

export function createOperations(options: OperationsOptions): Operations {
  const { limits, introspection, cacheEntries, cacheMegabytes = 128, onExceeded } = options;
  const check = createDocumentCheck({ limits, introspection });
  const cachesOf = new WeakMap<Supergraph, Caches>();

  const tell = (exceeded: readonly Exceeded[]): void => {
    if (onExceeded !== undefined) for (const one of exceeded) onExceeded(one);
  };

  const prepare: PrepareOperation = (supergraph, source, operationName) => {
    let caches = cachesOf.get(supergraph);
    if (caches === undefined) {
      caches = {
        good: createLruCache({ maxEntries: cacheEntries, maxWeight: cacheMegabytes * 1_000_000 }),
        bad: createLruCache({ maxEntries: cacheEntries, maxWeight: maxBadCharacters }),
      };
      cachesOf.set(supergraph, caches);
    }
    let known = caches.good.get(source);
    if (known === undefined) {
      let bad = caches.bad.get(source);
      if (bad === undefined) {
        const checked = check(supergraph.schema, source);
        if ('document' in checked) {
          known = { ...checked, operations: new Map(), uses: 0 };
          caches.good.set(source, known, bytesOf(source, checked));
        } else {
          bad = checked;
          caches.bad.set(source, bad, source.length + weightOf(bad.errors));
        }
      }
      if (bad !== undefined) {
        tell(bad.exceeded);
        return { ok: false, errors: bad.errors };
      }
    }
    if (known === undefined) throw new Error('a document is neither good nor bad');
    tell(known.exceeded);
    known.uses += 1;
    return operationOf(supergraph, known, operationName === '' ? undefined : operationName);
  };

  return {
    prepare,
    mostUsed(supergraph, count) {
      const documents = [...(cachesOf.get(supergraph)?.good.entries() ?? [])];
      return documents
        .toSorted(([, one], [, other]) => other.uses - one.uses)
        .slice(0, count)
        .flatMap(([source, { operations }]) =>
          [...operations.keys()].map((name) => ({ source, operationName: name === '' ? undefined : name })),
        );
    },
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
    return {
      ok: true,
      operation: inStage('graphql.plan', () => compileOperation(supergraph, document, operationName)),
    };
  } catch (error) {
    const told = error instanceof GraphQLError ? error : new CodedError('INTERNAL_SERVER_ERROR', undefined, {}, error);
    return { ok: false, errors: [told] };
  }
}

/** Measured: a document takes about so many bytes for each character, the plan of each of its operations so many, and for each field. */
const bytesPerCharacter = 50;
const bytesPerOperation = 30_000;
const bytesPerField = 2_000;
function bytesOf(source: string, { document, height }: { document: DocumentNode; height: number }): number {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length;
  return source.length * bytesPerCharacter + operations * (bytesPerOperation + height * bytesPerField);
}

/** What an error takes besides its message, in characters: its places and its stack. */
const errorWeight = 2_000;
const weightOf = (errors: readonly GraphQLError[]): number =>
  errors.reduce((sum, { message }) => sum + message.length + errorWeight, 0);
