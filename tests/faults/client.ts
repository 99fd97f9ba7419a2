// One GraphQL request as a customer's app makes it, and what its answer means to somebody who wants exactly one order.
import { errorTable, isErrorCode } from '../../service/errors.ts';

export type Answer<Data> =
  | { readonly kind: 'data'; readonly data: Data }
  /** A definite no: asking again gives the same. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** No answer, or one that says "try again": what was asked for may have happened or not. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Asks once. Never throws. */
export async function ask<Data>(
  url: string,
  token: string,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  timeoutMs = 5_000,
): Promise<Answer<Data>> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = (await response.json()) as {
      data?: Data | null;
      errors?: readonly { message: string; extensions?: { code?: string } }[];
    };
    const error = body.errors?.[0];
    if (error === undefined && body.data) return { kind: 'data', data: body.data };
    const code = error?.extensions?.code ?? `HTTP ${String(response.status)}`;
    const isFinal = isErrorCode(code) && !errorTable[code].retry;
    return isFinal ? { kind: 'refused', code, message: error?.message ?? '' } : { kind: 'unknown', why: code };
  } catch (error) {
    return { kind: 'unknown', why: error instanceof Error ? error.name : String(error) };
  }
}
