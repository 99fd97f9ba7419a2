// Turns the planner's tree of nodes into steps that run it. Everything that does not depend on a request is worked out here.
import type { FetchNode, PlanNode, QueryPlan, ResponsePath } from '@apollo/query-planner';
import type { Supergraph } from '../supergraph.ts';
import { compileEventAnswer, type EventAnswer } from './event.ts';
import { compileFetch } from './fetch.ts';
import { joinableIn, type JoinTexts } from './join.ts';
import { bringersIn, fetchesIn, fieldsOf, isMisordered, type Bringers, type PlacedFetch } from './order.ts';
import { compilePath, startsWith } from './path.ts';
import type { Run, Step } from './run.ts';
import { nonNullKeysOf } from './selection-keys.ts';
import { typeIndexOf, type TypeIndex } from './types.ts';

/** A plan ready to be run. Of a subscription it is what follows the event. */
export interface CompiledPlan {
  /** Undefined when nothing has to be asked. */
  readonly step: Step | undefined;
  /** Whether it has to be run in rounds. */
  readonly isMisordered: boolean;
  /** What is known of joined requests; undefined when the plan never asks a subgraph twice at the same moment. */
  readonly joinTexts: JoinTexts | undefined;
  /** Answers the primary fetch of a subscription from an event. */
  readonly answer: EventAnswer | undefined;
}

/**
 * Compiles a plan.
 * @throws Error when it defers: such plans are not executed yet.
 */
export function compilePlan(supergraph: Supergraph, plan: QueryPlan): CompiledPlan {
  const { node } = plan;
  const subscription = node?.kind === 'Subscription' ? node : undefined;
  const rest = subscription ? subscription.rest : (node as PlanNode | undefined);
  const types = typeIndexOf(supergraph);
  const fetches = rest ? fetchesIn(rest) : [];
  const first = subscription ? fetchesIn(subscription.primary) : [];
  const bringers = bringersIn([...first, ...fetches], types);
  const joinable = joinableIn(fetches);
  return {
    joinTexts: joinable.size > 0 ? new Map() : undefined,
    answer: subscription && compileEventAnswer(subscription.primary, supergraph),
    isMisordered: isMisordered(fetches, bringers),
    step: rest && compileNode(rest, [], { supergraph, types, fetches, bringers, joinable }),
  };
}

interface PlanFacts {
  readonly supergraph: Supergraph;
  readonly types: TypeIndex;
  readonly fetches: readonly PlacedFetch[];
  readonly bringers: Bringers;
  readonly joinable: ReadonlySet<FetchNode>;
}

function compileNode(node: PlanNode, path: ResponsePath, facts: PlanFacts): Step | undefined {
  switch (node.kind) {
    case 'Fetch': {
      const { supergraph, types, fetches, bringers, joinable } = facts;
      const compiledPath = compilePath(path);
      const keys = fieldsOf(compiledPath);
      return compileFetch(node, {
        path: compiledPath,
        types,
        isWrittenBelow: fetches.some((other) => other.node !== node && startsWith(other.path, compiledPath)),
        isJoinable: joinable.has(node),
        isBrought: (key, typename) => bringers.of([...keys, key], typename).some((other) => other.node !== node),
        nonNullKeys: node.operationKind === 'mutation' ? nonNullKeysOf(node, supergraph.schema) : [],
      });
    }
    case 'Flatten':
      return compileNode(node.node, [...path, ...node.path], facts);
    case 'Sequence':
      return inSequence(compileAll(node.nodes, path, facts));
    case 'Parallel':
      return inParallel(compileAll(node.nodes, path, facts));
    case 'Condition': {
      const { condition } = node;
      const whenTrue = node.ifClause && compileNode(node.ifClause, path, facts);
      const whenFalse = node.elseClause && compileNode(node.elseClause, path, facts);
      return (run) => (run.variables[condition] === true ? whenTrue?.(run) : whenFalse?.(run));
    }
    case 'Defer':
      throw new Error('Plans with @defer are not executed yet.');
  }
}

function compileAll(nodes: readonly PlanNode[], path: ResponsePath, facts: PlanFacts): Step[] {
  return nodes.flatMap((node) => compileNode(node, path, facts) ?? []);
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
