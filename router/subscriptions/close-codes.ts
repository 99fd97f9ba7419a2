// Every code with which the router closes a WebSocket, besides those of the graphql-transport-ws protocol itself (4400, 4401, 4406,
// 4408, 4409, 4429, 4500). The close reason is the name; clients decide by either.
import type { ErrorCode } from '../../service/errors.ts';

/** Close code by error code. graphql-ws clients connect again after all of them. */
export const closeCodes = {
  /** "Service restart": connect again, perhaps to another instance, and resume with the last cursor. */
  SHUTTING_DOWN: 1012,
  /** "Try again later": the keys that tokens are checked against cannot be read. */
  SERVICE_UNAVAILABLE: 1013,
  /** The token does not hold: that given at connection_init or in a ping, or one whose key was taken out of the JWKS. */
  UNAUTHENTICATED: 4403,
  /** The token's `exp` has come: connect again with a new token and resume with the last cursor. */
  TOKEN_EXPIRED: 4410,
  /** The client did not read fast enough: connect again and resume with the last cursor. */
  SUBSCRIPTION_SLOW_CONSUMER: 4411,
  /** The viewer has too many connections. */
  CONNECTION_LIMIT: 4412,
} as const satisfies Partial<Record<ErrorCode, number>>;

export type CloseReason = keyof typeof closeCodes;
