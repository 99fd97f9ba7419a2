// What is told of each operation that was answered: one line of log, and the attributes of its span. Never the text, the variables, the
// token, who asked, or from where: the hash finds the text where it is known, and the trace the rest.
import { print } from 'graphql';
import { createHash } from 'node:crypto';
import type { Logger } from '../service/log.ts';
import type { CompiledOperation } from './executor/operation.ts';
import type { OperationSummary, ReportOperation } from './graphql-http.ts';

/** @param which `errors`: operations with an error in their answer; the others are logged at level debug. */
export function createAccessLog(log: Logger, which: 'errors' | 'all'): ReportOperation {
  return ({ operation, codes }, milliseconds) => {
    const level = which === 'all' || codes.length > 0 ? 'info' : 'debug';
    if (!log.isLevelEnabled(level)) return;
    log[level](
      {
        kind: operation?.kind ?? 'unknown',
        operation: operation?.name,
        hash: operation === undefined ? undefined : hashOf(operation),
        milliseconds: Math.round(milliseconds),
        codes: codes.length === 0 ? undefined : codes,
      },
      'operation answered',
    );
  };
}

/** For the span of a request. */
export function spanAttributes({ operation, codes }: OperationSummary): Record<string, string | string[]> {
  return {
    'graphql.operation.type': operation?.kind ?? 'unknown',
    ...(operation?.name === undefined ? {} : { 'graphql.operation.name': operation.name }),
    ...(operation === undefined ? {} : { 'graphql.document.hash': hashOf(operation) }),
    ...(codes.length === 0 ? {} : { 'graphql.error.codes': [...codes] }),
  };
}

const hashes = new WeakMap<CompiledOperation, string>();

/** Of the document as graphql-js prints it, so that white space makes no difference. Worked out once for each operation. */
function hashOf(operation: CompiledOperation): string {
  let hash = hashes.get(operation);
  if (hash === undefined) {
    hash = createHash('sha256').update(print(operation.document)).digest('hex').slice(0, 16);
    hashes.set(operation, hash);
  }
  return hash;
}
