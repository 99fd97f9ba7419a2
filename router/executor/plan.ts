// Turns the planner's tree of nodes into steps that run it. Everything that does not depend on a request is worked out here.
import type { PlanNode, QueryPlan, ResponsePath } from '@apollo/query-planner';
import type { Supergraph } from '../supergraph.ts';
import { compileEventAnswer, type EventAnswer } from './event.ts';
import { compileFetch } from './fetch.ts';
import { fetchesIn, isMisordered, type PlacedFetch } from './order.ts';
import { compilePath, startsWith } from './path.ts';
import type { Run, Step } from './run.ts';
import { nonNullKeysOf } from './selection-keys.ts';
import { typeIndexOf } from './types.ts';

/** A plan ready to be run. Of a subscription it is what follows the event. */
export interface CompiledPlan {
  /** Undefined when nothing has to be asked. */
  readonly step: Step | undefined;
  /** Whether it has to be run in rounds. */
  readonly isMisordered: boolean;
  /** Answers the primary fetch of a subscription from an event. */
  readonly answer: EventAnswer | undefined;
}

const compiled = new WeakMap<QueryPlan, CompiledPlan>();

/**
 * Compiles a plan, once.
 * @throws Error when it defers: such plans are not executed yet.
 */
export function compilePlan(supergraph: Supergraph, plan: QueryPlan): CompiledPlan {
  let result = compiled.get(plan);
  if (!result) {
    const { node } = plan;
    const subscription = node?.kind === 'Subscription' ? node : undefined;
    const rest = subscription ? subscription.rest : (node as PlanNode | undefined);
    const fetches = rest ? fetchesIn(rest) : [];
    result = {
      answer: subscription && compileEventAnswer(subscription.primary, supergraph),
      isMisordered: isMisordered(fetches),
      step: rest && compileNode(rest, [], supergraph, fetches),
    };
    compiled.set(plan, result);
  }
  return result;
}

function compileNode(
  node: PlanNode,
  path: ResponsePath,
  supergraph: Supergraph,
  fetches: readonly PlacedFetch[],
): Step | undefined {
  switch (node.kind) {
    case 'Fetch': {
      const compiledPath = compilePath(path);
      return compileFetch(node, {
        path: compiledPath,
        types: typeIndexOf(supergraph),
        isWrittenBelow: fetches.some((other) => other.node !== node && startsWith(other.path, compiledPath)),
        nonNullKeys: node.operationKind === 'mutation' ? nonNullKeysOf(node, supergraph.schema) : [],
      });
    }
    case 'Flatten':
      return compileNode(node.node, [...path, ...node.path], supergraph, fetches);
    case 'Sequence':
      return inSequence(compileAll(node.nodes, path, supergraph, fetches));
    case 'Parallel':
      return inParallel(compileAll(node.nodes, path, supergraph, fetches));
    case 'Condition': {
      const { condition } = node;
      const whenTrue = node.ifClause && compileNode(node.ifClause, path, supergraph, fetches);
      const whenFalse = node.elseClause && compileNode(node.elseClause, path, supergraph, fetches);
      return (run) => (run.variables[condition] === true ? whenTrue?.(run) : whenFalse?.(run));
    }
    case 'Defer':
      throw new Error('Plans with @defer are not executed yet.');
  }
}

function compileAll(
  nodes: readonly PlanNode[],
  path: ResponsePath,
  supergraph: Supergraph,
  fetches: readonly PlacedFetch[],
): Step[] {
  return nodes.flatMap((node) => compileNode(node, path, supergraph, fetches) ?? []);
}

function inSequence(steps: readonly Step[]): Step {
  const runFrom = <Context>(run: Run<Context>, from: number): Promise<void> | undefined => {
    for (let at = from; at < steps.length && !run.isHalted; at++) {
      const pending = steps[at]?.(run);
      if (pending) return at + 1 < steps.length ? pending.then(() => runFrom(run, at + 1)) : pending;
    }
    return undefined;
  };
  return (run) => runFrom(run, 0);
}

function inParallel(steps: readonly Step[]): Step {
  return (run) => {
    let pending: Promise<void> | undefined;
    let others: Promise<void>[] | undefined;
    for (const step of steps) {
      const started = step(run);
      if (!started) continue;
      if (!pending) pending = started;
      else (others ??= [pending]).push(started);
    }
    return others ? Promise.all(others).then(() => undefined) : pending;
  };
}
