// What one subscription asks for: the subject it watches, where it begins, and with whom it can share.
import { getArgumentValues } from 'graphql';
import { createHash } from 'node:crypto';
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import { needsFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { EventField } from '../supergraph.ts';
import type { CursorCodec, CursorScope, ReadCursor } from './cursor.ts';
import type { GroupDefinition } from './group.ts';
import { operationShape } from './operation-key.ts';
import type { OperationShape } from './operation-key.ts';
import type { Sink } from './subscriber.ts';
import { fillSubject, viewerSubject } from './subject-template.ts';

export interface Target {
  readonly field: EventField;
  readonly shape: OperationShape;
  readonly subject: string;
  /** Covers `subject`, and perhaps more of the same viewer's. */
  readonly within: string;
  readonly scope: CursorScope;
  /** Where to go on from; undefined for a subscription that begins at the present. */
  readonly after: ReadCursor | undefined;
}

/** The argument of an event field that takes a cursor, if the field has one. */
const cursorArgument = 'after';

/**
 * Works out what a subscription watches.
 * @throws CodedError UNAUTHENTICATED, BAD_USER_INPUT, CURSOR_INVALID, or BAD_REQUEST for a field that is no event field.
 */
export function targetOf(
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
  viewer: Viewer | undefined,
  cursors: CursorCodec,
): Target {
  const shape = operationShape(operation);
  const field = shape && operation.supergraph.eventFields.get(shape.field.name.value);
  const definition = shape && operation.supergraph.schema.getSubscriptionType()?.getFields()[shape.field.name.value];
  if (shape === undefined || field === undefined || definition === undefined) {
    throw new CodedError('BAD_REQUEST', 'This subscription has no events.');
  }
  const args = getArgumentValues(definition, shape.field, variables);
  const subject = fillSubject(field.subject, viewer?.sub, args);
  const scope = { stream: field.stream, subject, viewer: viewer?.sub };
  const after = args[cursorArgument];
  return {
    field,
    shape,
    subject,
    within: viewerSubject(field.subject, subject),
    scope,
    after: typeof after === 'string' ? cursors.read(after, scope) : undefined,
  };
}

/** What the subscription has in common with others that get the same bytes. */
export function groupDefinition(
  operation: CompiledOperation,
  shape: OperationShape,
  variables: Readonly<Record<string, unknown>>,
  { viewer, forwarded }: Pick<Sink, 'viewer' | 'forwarded'>,
  scope: CursorScope,
): GroupDefinition {
  const asks = needsFetch(operation);
  return {
    operation,
    shape,
    variables,
    // Without a fetch nothing depends on who asks.
    viewer: asks ? viewer : undefined,
    forwarded: asks ? forwarded : undefined,
    cursorScope: shape.selectsCursor ? scope : undefined,
  };
}

/** Equal for two definitions on one topic if, and only if, each event gives the same bytes. */
export function groupKey({ operation, shape, variables, viewer, forwarded, cursorScope }: GroupDefinition): string {
  const used = shape.variables.map((name) => variables[name]);
  // The token and not its subject: what a subgraph answers may depend on any claim.
  const who = [viewer?.token ?? null, forwarded?.key ?? null, cursorScope?.viewer ?? null];
  const parts = [operation.supergraph.id, shape.hash, used, ...who];
  return createHash('sha256').update(JSON.stringify(parts)).digest().toString('base64url', 0, 15);
}
