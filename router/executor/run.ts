// One execution: the tree that its fetches fill, and what went wrong on the way.
import { GraphQLError } from 'graphql';
import { codeOf, errorTable } from '../../service/errors.ts';
import type { DataObject } from './data.ts';
import type { SubgraphError, SubgraphFetch } from './execute.ts';
import type { Gates } from './gates.ts';
import type { Joiner } from './join.ts';
import type { CompiledPath } from './path.ts';

/** The state of one execution. */
export interface Run<Context> {
  readonly data: DataObject;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fetch: SubgraphFetch<Context>;
  readonly context: Context;
  /** Errors whose place in the response is known. */
  readonly errors: GraphQLError[];
  /** Errors that are placed where data is missing, once that is known. */
  readonly failures: Failure[];
  /** Of plans that may ask a subgraph twice at the same moment only. */
  readonly joiner: Joiner | undefined;
  /** Of plans that defer only. */
  readonly gates?: Gates;
  /** Set when a mutation has no result any more: what follows of it must not be done. */
  isHalted: boolean;
}

/** Does a part of a plan. Gives no promise when nothing is awaited, and never one that rejects. */
export type Step = <Context>(run: Run<Context>) => Promise<void> | undefined;

/** What is said of an error, wherever it will stand. */
export interface ErrorText {
  readonly message: string;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly origin?: unknown;
}

/** A fetch as errors see it. */
export interface FetchInfo {
  readonly path: CompiledPath;
  readonly isEntityFetch: boolean;
  /** The keys that it brings to each object at the end of its path. */
  readonly keys: () => ReadonlySet<string>;
  /** Keys that stand in the text of the fetch for others. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Objects that a fetch brought nothing for. */
export interface Failure {
  readonly error: ErrorText;
  readonly fetch: FetchInfo;
  readonly objects: readonly DataObject[];
  /** Whether the fetch was not even tried for these objects, because an earlier error left them incomplete. */
  readonly isConsequence: boolean;
}

/** What a client may be told of a fetch that was rejected. */
export function textOfRejection(error: unknown): ErrorText {
  if (error instanceof GraphQLError) return { message: error.message, extensions: error.extensions, origin: error };
  const code = codeOf(error);
  return { message: errorTable[code].message, extensions: { code }, origin: error };
}

/** What a client may be told of an error that a subgraph sent. */
export function textOfError(error: SubgraphError): ErrorText {
  // Apollo Server takes `http` for status and headers of the whole response, which are not for a subgraph to say.
  const { http: _, ...extensions } = error.extensions ?? {};
  return {
    message: error.message || errorTable.INTERNAL_SERVER_ERROR.message,
    extensions: { ...extensions, code: extensions['code'] ?? 'INTERNAL_SERVER_ERROR' },
  };
}

/** What is said of an answer that no subgraph should give. */
export function textOfBadAnswer(what: string): ErrorText {
  const { message } = errorTable.INTERNAL_SERVER_ERROR;
  return { message, extensions: { code: 'INTERNAL_SERVER_ERROR' }, origin: new Error(what) };
}

/** The error for the response. */
export function toGraphQLError(text: ErrorText, path: ReadonlyArray<string | number> | undefined): GraphQLError {
  return new GraphQLError(text.message, {
    ...(path ? { path } : {}),
    extensions: { ...text.extensions },
    ...(text.origin instanceof Error ? { originalError: text.origin } : {}),
  });
}
