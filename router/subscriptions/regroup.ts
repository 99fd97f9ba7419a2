// Brings a subscriber to another group of its topic: when its connection has another token, or the router another supergraph.
import { print } from 'graphql';
import { CodedError, isErrorCode } from '../../service/errors.ts';
import { authorize } from '../auth.ts';
import { coerceVariables } from '../variables.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { PrepareOperation } from '../operations.ts';
import type { Supergraph } from '../supergraph.ts';
import type { Group, GroupDefinition } from './group.ts';
import { operationShape } from './operation-key.ts';
import type { Subscriber } from './subscriber.ts';
import { groupDefinition } from './target.ts';
import type { Topic } from './topic.ts';

/** The group of a definition, made when there is none. */
export type GroupOf = (topic: Topic, definition: GroupDefinition) => Group;

/** The viewer has another token: what it does not allow ends, what depends on it goes on under the new one. */
export function identify(subscriber: Subscriber, groupOf: GroupOf): void {
  const { definition, topic } = subscriber.group;
  const { viewer } = subscriber.sink;
  const [refused] = authorize(definition.operation, viewer);
  if (refused !== undefined) {
    const code = refused.extensions['code'];
    subscriber.end(new CodedError(isErrorCode(code) ? code : 'FORBIDDEN'));
  } else if (definition.viewer !== undefined && definition.viewer !== viewer) {
    subscriber.move(groupOf(topic, { ...definition, viewer }));
  }
}

/** Plans operations of before for a new supergraph; each once. Undefined: it does not fit any more. */
export function createReplan(
  supergraph: Supergraph,
  prepare: PrepareOperation,
): (operation: CompiledOperation) => CompiledOperation | undefined {
  const known = new Map<CompiledOperation, CompiledOperation | undefined>();
  const replan = (operation: CompiledOperation): CompiledOperation | undefined => {
    const prepared = prepare(supergraph, print(operation.document), operation.name);
    const field = operationShape(operation)?.field.name.value ?? '';
    const before = operation.supergraph.eventFields.get(field);
    const now = supergraph.eventFields.get(field);
    const watchesTheSame = before?.stream === now?.stream && before?.subject === now?.subject;
    return prepared.ok && now !== undefined && watchesTheSame ? prepared.operation : undefined;
  };
  return (operation) => {
    if (!known.has(operation)) known.set(operation, replan(operation));
    return known.get(operation);
  };
}

/** Lets a subscription go on with its operation as a new supergraph plans it, or ends it with SUBSCRIPTION_SCHEMA_RELOAD. */
export function reload(
  subscriber: Subscriber,
  replan: (operation: CompiledOperation) => CompiledOperation | undefined,
  groupOf: GroupOf,
): void {
  const { topic, definition } = subscriber.group;
  const { viewer } = subscriber.sink;
  const operation = replan(definition.operation);
  const shape = operation && operationShape(operation);
  // Their size was looked at when they came.
  const variables =
    operation && coerceVariables(operation, definition.variables, { depth: Infinity, values: Infinity });
  if (
    operation === undefined ||
    shape === undefined ||
    variables?.ok !== true ||
    authorize(operation, viewer).length > 0
  ) {
    subscriber.end(new CodedError('SUBSCRIPTION_SCHEMA_RELOAD'));
    return;
  }
  const scope = { stream: topic.stream, subject: topic.subject, viewer: viewer?.sub };
  subscriber.move(groupOf(topic, groupDefinition(operation, shape, variables.values, subscriber.sink, scope)));
}
