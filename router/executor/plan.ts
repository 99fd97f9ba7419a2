// Turns the planner's tree of nodes into steps that run it. Everything that does not depend on a request is worked out here.
import type { FetchNode, PlanNode, QueryPlan, ResponsePath } from '@apollo/query-planner';
import type { Supergraph } from '../supergraph.ts';
import { compileEventAnswer, type EventAnswer } from './event.ts';
import { compileFetch } from './fetch.ts';
import { joinableIn, type JoinTexts } from './join.ts';
import {
  bringersIn,
  fetchesIn,
  fieldsOf,
  isMisordered,
  type Bringers,
  type PlacedFetch,
  type Position,
} from './order.ts';
import { compilePath, startsWith } from './path.ts';
import type { Run, Step } from './run.ts';
import { nonNullKeysOf } from './selection-keys.ts';
import { typeIndexOf, type TypeIndex } from './types.ts';

/** A plan ready to be run. Of a subscription it is what follows the event. */
export interface CompiledPlan {
  /** Undefined when nothing has to be asked. */
  readonly step: Step | undefined;
  /** Whether some fetch would be made before those that bring what it requires. */
  readonly isMisordered: boolean;
  /** What is known of joined requests; undefined when the plan never asks a subgraph twice at the same moment. */
  readonly joinTexts: JoinTexts | undefined;
  /** Answers the primary fetch of a subscription from an event. */
  readonly answer: EventAnswer | undefined;
  /** What is deferred, outer before inner. */
  readonly blocks: readonly PlanBlock[];
}

/** The part of a plan for one `@defer`. */
export interface PlanBlock {
  /** The label in the planned document. */
  readonly id: string;
  readonly parent: string | undefined;
  /** The fetches that must have come before it begins, by their ids. */
  readonly depends: readonly string[];
  /** Undefined: its data come with those of the fetches that it depends on. */
  readonly step: Step | undefined;
}

/** Compiles a plan. */
export function compilePlan(supergraph: Supergraph, { node }: QueryPlan): CompiledPlan {
  const subscription = node?.kind === 'Subscription' ? node : undefined;
  const { primary: rest, deferred } = deferredIn(subscription ? subscription.rest : (node as PlanNode | undefined));
  const types = typeIndexOf(supergraph);
  const atOnce = rest ? fetchesIn(rest, [], deferred.length > 0 ? [{ isSequence: true, index: 0 }] : []) : [];
  const later = deferred.flatMap(({ node: block, position }) => (block ? fetchesIn(block, [], position) : []));
  const fetches = [...atOnce, ...later];
  const first = subscription ? fetchesIn(subscription.primary) : [];
  const bringers = bringersIn([...first, ...fetches], types);
  // What is answered at once must not wait for what is deferred.
  const joinable = joinableIn(atOnce);
  const facts = { supergraph, types, fetches, bringers, joinable };
  return {
    joinTexts: joinable.size > 0 ? new Map() : undefined,
    answer: subscription && compileEventAnswer(subscription.primary, supergraph),
    isMisordered: isMisordered(fetches, bringers),
    step: rest && compileNode(rest, [], facts),
    blocks: deferred.map(({ id, parent, depends, node: block }) => ({
      id,
      parent,
      depends,
      step: block && compileNode(block, [], facts),
    })),
  };
}

interface DeferredNode extends Omit<PlanBlock, 'step'> {
  readonly node: PlanNode | undefined;
  readonly position: Position;
}

/**
 * What a plan does at once, and what it defers, at any depth. The planner defers at the root of a plan and of a block only.
 * The positions are as if a Sequence did what is deferred after the rest, all of it in a Parallel.
 */
function deferredIn(
  node: PlanNode | undefined,
  position: Position = [],
  parent?: string,
): { readonly primary: PlanNode | undefined; readonly deferred: readonly DeferredNode[] } {
  if (node?.kind !== 'Defer') return { primary: node, deferred: [] };
  const deferred = node.deferred.flatMap(({ label = '', depends, node: block }, index): DeferredNode[] => {
    const own = [...position, { isSequence: true, index: 1 }, { isSequence: false, index }];
    const inner = deferredIn(block, own, label);
    const at = block?.kind === 'Defer' ? [...own, { isSequence: true, index: 0 }] : own;
    const ids = depends.map(({ id }) => id);
    return [{ id: label, parent, depends: ids, node: inner.primary, position: at }, ...inner.deferred];
  });
  return { primary: node.primary.node, deferred };
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
      return announced(
        node.id,
        compileFetch(node, {
          path: compiledPath,
          types,
          isWrittenBelow: fetches.some((other) => other.node !== node && startsWith(other.path, compiledPath)),
          isJoinable: joinable.has(node),
          isBrought: (key, typename) => bringers.of([...keys, key], typename).some((other) => other.node !== node),
          nonNullKeys: node.operationKind === 'mutation' ? nonNullKeysOf(node, supergraph.schema) : [],
        }),
      );
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
      throw new Error('A plan defers below its root.');
  }
}

/** Tells those that wait for a fetch by its id when it has come. */
function announced(id: string | undefined, step: Step): Step {
  if (id === undefined) return step;
  return (run) => {
    const { gates } = run;
    const pending = step(run);
    if (!gates) return pending;
    if (pending) return pending.then(() => gates.open(id));
    gates.open(id);
    return undefined;
  };
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
