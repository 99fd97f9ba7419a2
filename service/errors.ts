// The one table of errors: what each code means to a client, to the log and to the broker. docs/errors.md is made from it.
import { GraphQLError } from 'graphql';

interface ErrorRow {
  /** What a client reads when the error brings no message of its own. Names no insides. */
  readonly message: string;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
  /** How the process logs it. */
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** What a consumer does with the message that caused it: deliver again later, or park it as a dead letter. */
  readonly disposition: 'nak' | 'term';
}

const client = (message: string): ErrorRow => ({ message, retry: false, level: 'info', disposition: 'term' });
const transient = (message: string): ErrorRow => ({ message, retry: true, level: 'warn', disposition: 'nak' });

/** Every code that an answer, a closed socket or a dead letter can carry. */
export const errorTable = {
  BAD_REQUEST: client('The request is not well-formed.'),
  BAD_USER_INPUT: client('An argument is not valid.'),
  GRAPHQL_PARSE_FAILED: client('The GraphQL document cannot be parsed.'),
  GRAPHQL_VALIDATION_FAILED: client('The GraphQL document does not fit the schema.'),
  OPERATION_RESOLUTION_FAILURE: client('The document does not say which operation to run.'),
  PERSISTED_QUERY_NOT_FOUND: client('The persisted query is not known here; send it whole.'),
  PERSISTED_QUERY_NOT_SUPPORTED: client('Persisted queries are not served here; send the query whole.'),
  CROSS_SITE_REQUEST: client(
    'A page of another site may have sent this; list its origin, or send the header apollo-require-preflight.',
  ),
  UNSUPPORTED_MEDIA_TYPE: client('The body must be JSON, not compressed, and its content type must say so.'),
  OPERATION_NOT_LISTED: client('The operation is not among those that are allowed here.'),
  BATCH_LIMIT: client('More operations in one request than are allowed.'),
  REQUEST_TIMEOUT: transient('The request took too long to arrive; send it again.'),
  PAYLOAD_TOO_LARGE: client('The request body is over the limit.'),
  MAX_TOKENS_LIMIT: client('The GraphQL document is over the limit of tokens.'),
  MAX_OPERATIONS_LIMIT: client('The GraphQL document has more operations than are allowed.'),
  MAX_NESTING_LIMIT: client('The GraphQL document has more levels inside each other than are read.'),
  MAX_DEPTH_LIMIT: client('The operation is nested deeper than is allowed.'),
  MAX_HEIGHT_LIMIT: client('The operation selects more fields than are allowed.'),
  MAX_ALIASES_LIMIT: client('The operation has more aliases than are allowed.'),
  MAX_ROOT_FIELDS_LIMIT: client('The operation has more root fields than are allowed.'),
  MAX_DIRECTIVES_LIMIT: client('The operation has more directives than are allowed.'),
  MAX_DEFERS_LIMIT: client('The operation defers more fragments than are allowed.'),
  COST_ESTIMATED_TOO_EXPENSIVE: client('The operation may cost more than is allowed.'),
  SLICING_ARGUMENT_REQUIRED: client('A list must be asked for with exactly one of its slicing arguments.'),
  INTROSPECTION_DISABLED: client('The schema cannot be read here.'),
  RESPONSE_TOO_LARGE: client('What was asked for is over the limit of bytes; ask for less at once.'),
  RATE_LIMITED: transient('Too many operations in too short a time; wait as many seconds as retryAfter says.'),
  UNAUTHENTICATED: client('Sign in: a valid bearer token is needed.'),
  FORBIDDEN: client('The token lacks a scope that this needs.'),
  NOT_FOUND: client('There is no such thing, or it is not yours.'),
  MENU_NOT_FOUND: client('There is no such menu.'),
  MENU_UNAVAILABLE: client('The menu cannot be ordered now.'),
  AMOUNT_TOO_LARGE: client('The total is over what can be charged.'),
  ORDER_NOT_CANCELLABLE: client('The order can no longer be cancelled.'),
  ORDER_NOT_ON_HOLD: client('The order is not on hold.'),
  DELIVERY_NOT_COMPLETABLE: client('The delivery was cancelled.'),
  CURSOR_INVALID: client('The cursor is not one of this viewer and field.'),
  CURSOR_EXPIRED: client('The cursor is older than what is kept; subscribe without it to start from the present.'),
  SUBSCRIPTION_SLOW_CONSUMER: client('The connection is too slow for its events; resume with the last cursor.'),
  SUBSCRIPTION_SCHEMA_RELOAD: client('The schema changed and the operation does not fit it any more.'),
  SUBSCRIPTION_LIMIT: client('Too many subscriptions of this viewer or connection.'),
  CONNECTION_LIMIT: client('Too many connections of this viewer.'),
  TOKEN_EXPIRED: client('The token has expired; connect again with a new one and resume with the last cursor.'),
  SHUTTING_DOWN: transient('This server is going down; connect again and resume with the last cursor.'),
  OVERLOADED: transient('There is more to do here than can be done now; try again a little later.'),
  SERVICE_UNAVAILABLE: transient('A part of the system cannot be reached now; try again.'),
  TIMEOUT: transient('A part of the system did not answer in time; try again.'),
  CARD_PROCESSOR_UNAVAILABLE: transient('The card processor cannot be reached now.'),
  MESSAGE_INVALID: { message: 'A message does not fit its type.', retry: false, level: 'error', disposition: 'term' },
  INTERNAL_SERVER_ERROR: {
    message: 'Something went wrong here; it has been logged.',
    retry: true,
    level: 'error',
    disposition: 'nak',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** An error that we mean: its code is in the table and its message is safe to show to a client. */
export class CodedError extends GraphQLError {
  override readonly name = 'CodedError';
  readonly code: ErrorCode;

  /**
   * @param message client-safe; by default the table's.
   * @param details further `extensions`, for example `{ argument: 'input.items.0.quantity' }`.
   */
  constructor(code: ErrorCode, message?: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message ?? errorTable[code].message, {
      extensions: { ...details, code },
      ...(cause instanceof Error ? { originalError: cause } : {}),
    });
    this.code = code;
  }
}

/** Whether a value names a row of the table. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorTable, code);
}

/**
 * The code of any thrown value. Failures to reach the database or the broker count as SERVICE_UNAVAILABLE, so that they
 * are tried again for ever; everything unforeseen is INTERNAL_SERVER_ERROR.
 */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof CodedError) return error.code;
  if (isUnreachable(error)) return 'SERVICE_UNAVAILABLE';
  return 'INTERNAL_SERVER_ERROR';
}

/** Names of the MikroORM, node and NATS errors that mean "not reachable now", and PostgreSQL's classes 08, 40, 53, 57P.
 * A refused password is one of them (28, ER_ACCESS_DENIED): passwords are rotated while we run, and a message behind one is no poison. */
const unreachableNames = new Set(['ConnectionException', 'DeadlockException', 'LockWaitTimeoutException']);
const unreachableCodes =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|08|28|ER_ACCESS_DENIED|40001|40P01|53|55P03|57P|57014|TIMEOUT$|CONNECTION_|DISCONNECT|503$|CONNECTION_CLOSED)/;
/** What `pg` says without a code. */
const unreachableMessages =
  /Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|Client was closed/i;

function isUnreachable(error: unknown): boolean {
  // Not `instanceof`: node's own errors are of another realm where tests run.
  for (let current = error; typeof current === 'object' && current !== null;) {
    const { name, code, message, cause } = current as Partial<Record<keyof Error | 'code', unknown>>;
    if (typeof name === 'string' && unreachableNames.has(name)) return true;
    if (typeof code === 'string' && unreachableCodes.test(code)) return true;
    if (typeof message === 'string' && unreachableMessages.test(message)) return true;
    current = cause;
  }
  return false;
}
