// The one place where text becomes code: what is written out for a known shape runs several times as fast as a loop over a
// description of it. Only names of GraphQL's alphabet, quoted by JSON.stringify, may come into the text from outside.

/** Compiles the body of a function. The caller says what signature it has. */
export function compileCode(parameters: readonly string[], body: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- text of our own, in which only quoted names come from outside
  return new Function(...parameters, `"use strict";${body}`);
}
