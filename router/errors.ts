// What a client may read of an error: codes that are ours or listed pass with their message, all else is masked.
import { GraphQLError } from 'graphql';
import type { GraphQLFormattedError } from 'graphql';
import { errorTable, isErrorCode } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';

/** Turns any thrown or collected error into what leaves the process. */
export type ErrorMask = (error: unknown) => GraphQLFormattedError;

export interface ErrorMaskOptions {
  /** Codes of subgraphs that pass besides those of the table; `*` lets every code pass. */
  readonly exposedCodes: ReadonlySet<string>;
  /** Told of each error that was masked, to be logged. */
  readonly onMasked: (error: unknown) => void;
}

/** Extensions that servers put there for debugging, and that name insides. */
const inside =
  /^(stacktrace|stack|exception|service|servicename|url|http|request|response|query|variables|originalerror|valuecompletion)$/i;

export function createErrorMask(options: ErrorMaskOptions): ErrorMask {
  const { exposedCodes, onMasked } = options;
  const passes = (code: unknown): code is string =>
    code !== 'INTERNAL_SERVER_ERROR' &&
    (isErrorCode(code) || (typeof code === 'string' && (exposedCodes.has(code) || exposedCodes.has('*'))));

  return (error) => {
    const given = error instanceof GraphQLError ? error : undefined;
    const code = given?.extensions['code'];
    const place = {
      ...(given?.locations === undefined ? {} : { locations: given.locations }),
      ...(given?.path === undefined ? {} : { path: given.path }),
    };
    if (given === undefined || !passes(code)) {
      onMasked(error);
      const { message } = errorTable.INTERNAL_SERVER_ERROR;
      return { message, ...place, extensions: { code: 'INTERNAL_SERVER_ERROR' } };
    }
    const details = Object.entries(given.extensions).filter(
      ([key, value]) => !inside.test(key) && (typeof value !== 'object' || value === null),
    );
    return { message: cut(given.message), ...place, extensions: { ...Object.fromEntries(details), code } };
  };
}

/** The codes of errors as clients see them. */
export function codesOf(errors: readonly GraphQLFormattedError[] | undefined): string[] {
  return (errors ?? []).map(({ extensions }) => String(extensions?.['code']));
}

/** Messages quote what the client sent, which may be a megabyte. */
const maxMessage = 1_000;
const cut = (message: string): string => (message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message);

/** The same error with a code of the table: graphql-js's own errors carry none. */
export function withCode(error: GraphQLError, code: ErrorCode): GraphQLError {
  const { message, path, extensions } = error;
  return placedAs(error, new GraphQLError(message, { path: path ?? null, extensions: { ...extensions, code } }));
}

/** The same error without the nodes that it is about, each of which may keep the whole document alive, and without its cause. */
export function withoutDocument(error: GraphQLError): GraphQLError {
  const { message, extensions } = error;
  const bare = placedAs(error, new GraphQLError(message, { extensions }));
  // Until it is read or set, the stack keeps all that was called, and with it the whole validation.
  bare.stack = message;
  return bare;
}

/** Thousands of equal arguments are one error with thousands of places. */
const maxPlaces = 20;
/** Places are copied: a GraphQLError that is made of nodes counts the lines of its text anew. */
const placedAs = ({ locations }: GraphQLError, copy: GraphQLError): GraphQLError =>
  locations === undefined ? copy : Object.assign(copy, { locations: locations.slice(0, maxPlaces) });
