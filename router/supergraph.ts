// Loads a supergraph SDL into an immutable snapshot of all that the router needs of it. An operation takes the snapshot it
// started with, so a reload never changes one that runs.
import { Supergraph as FederationSupergraph } from '@apollo/federation-internals';
import type { Schema as FederationSchema } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { Kind, parse, print, visit } from 'graphql';
import type { ConstDirectiveNode, DocumentNode, FieldDefinitionNode, GraphQLSchema } from 'graphql';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readAuthRules } from './auth-rules.ts';
import type { AuthRules } from './auth-rules.ts';
import { environmentName } from './config.ts';
import { costDirectives, readCostRules } from './cost-rules.ts';
import type { CostRules } from './cost-rules.ts';
import { argumentsOf, directivesNamed, linkedDirective, namedTypeOf, schemaLinks } from './links.ts';

/** A subscription field whose events come from NATS, as its `@event` directive says. */
export interface EventField {
  /** The field of the subscription root type. */
  readonly name: string;
  /** The JetStream stream that keeps the events. */
  readonly stream: string;
  /** Subject template: tokens between dots, of which `{viewer.sub}` and `{args.NAME}` are replaced. */
  readonly subject: string;
  /** Whether a new subscriber is first given the last message of the subject. */
  readonly present: boolean;
  /** The subgraph that declares the field: it has no process, the router answers for it. */
  readonly subgraph: string;
}

/** One supergraph, ready to plan against. */
export interface Supergraph {
  /** Hash of the SDL and of the addresses. */
  readonly id: string;
  /** The SDL as given. */
  readonly sdl: string;
  /** The SDL as the official gateway and planner take it: what the router enforces itself is not marked as required. */
  readonly plannerSdl: string;
  /** What clients see. */
  readonly schema: GraphQLSchema;
  /** What clients see, as the planner's `operationFromDocument` wants it. */
  readonly apiSchema: FederationSchema;
  readonly planner: QueryPlanner;
  /** By the name that the plans' `serviceName` carries. */
  readonly subgraphs: ReadonlyMap<string, { readonly url: string }>;
  /** By subscription field. Empty when no field carries the directive. */
  readonly eventFields: ReadonlyMap<string, EventField>;
  readonly authRules: AuthRules;
  readonly costRules: CostRules;
  /** By label of progressive overrides: for how many requests in a hundred it holds. Empty when every override holds for all. */
  readonly overrideShares: ReadonlyMap<string, number>;
}

const eventSpec = 'https://baedal.dev/specs/event';

/** Features that the official gateway refuses and that this router enforces itself, or that ask nothing of a router. */
const enforcedHere = /^https:\/\/specs\.apollo\.dev\/(authenticated|requiresScopes|policy|context|cost|cacheTag)\//;

/**
 * Reads a supergraph.
 * @param urlOverrides addresses instead of those in the SDL, by subgraph name, or by the name as a variable spells it.
 * @param activeLabels labels of progressive overrides that hold for every request.
 * @throws Error saying what is wrong: no supergraph, a feature that is not supported, an event directive that does not hold.
 */
export function loadSupergraph(
  sdl: string,
  urlOverrides: Readonly<Record<string, string>> = {},
  activeLabels: readonly string[] = [],
): Supergraph {
  const steps = loadInSteps(sdl, urlOverrides, activeLabels);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** `loadSupergraph`, with turns of the event loop in between for those who are served meanwhile. */
export async function loadSupergraphMeanwhile(
  sdl: string,
  urlOverrides: Readonly<Record<string, string>> = {},
  activeLabels: readonly string[] = [],
): Promise<Supergraph> {
  const steps = loadInSteps(sdl, urlOverrides, activeLabels);
  for (;;) {
    await nextTurn();
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Yields where others may have their turn. */
function* loadInSteps(
  sdl: string,
  urlOverrides: Readonly<Record<string, string>>,
  activeLabels: readonly string[],
): Generator<undefined, Supergraph> {
  const document = parse(sdl, { noLocation: true });
  const plannerSdl = print(withoutCosts(withoutPurposes(document)));
  yield;
  const federation = FederationSupergraph.build(plannerSdl);
  yield;
  const apiSchema = federation.apiSchema();
  yield;
  const schema = apiSchema.toGraphQLJSSchema({ includeDefer: true });
  yield;
  const planner = new QueryPlanner(federation, { incrementalDelivery: { enableDefer: true } });

  const addresses = new Map(Object.entries(urlOverrides).map(([name, url]) => [environmentName(name), url]));
  const subgraphs = new Map(
    federation.subgraphsMetadata().map(({ name, url }) => [name, { url: addresses.get(environmentName(name)) ?? url }]),
  );

  return Object.freeze({
    id: createHash('sha256').update(sdl).update(JSON.stringify(urlOverrides)).digest('hex').slice(0, 16),
    sdl,
    plannerSdl,
    schema,
    apiSchema,
    planner,
    subgraphs,
    eventFields: readEventFields(document, federation),
    authRules: readAuthRules(document),
    costRules: readCostRules(document),
    overrideShares: readOverrideShares(document, activeLabels),
  });
}

/** What is worked out of a supergraph when it is first asked for, and kept as long as the supergraph itself. */
export function perSupergraph<Result extends object>(
  workOut: (supergraph: Supergraph) => Result,
): (supergraph: Supergraph) => Result {
  const results = new WeakMap<Supergraph, Result>();
  return (supergraph) => {
    let result = results.get(supergraph);
    if (result === undefined) {
      result = workOut(supergraph);
      results.set(supergraph, result);
    }
    return result;
  };
}

/** The official gateway refuses a link whose `for:` names a purpose that it does not serve; without `for:` it takes it as data. */
function withoutPurposes(document: DocumentNode): DocumentNode {
  const withoutPurpose = (directive: ConstDirectiveNode): ConstDirectiveNode => {
    const { url } = argumentsOf(directive);
    if (directive.name.value !== 'link' || typeof url !== 'string' || !enforcedHere.test(url)) return directive;
    return { ...directive, arguments: (directive.arguments ?? []).filter(({ name }) => name.value !== 'for') };
  };
  return {
    ...document,
    definitions: document.definitions.map((definition) =>
      definition.kind === Kind.SCHEMA_DEFINITION || definition.kind === Kind.SCHEMA_EXTENSION
        ? { ...definition, directives: (definition.directives ?? []).map(withoutPurpose) }
        : definition,
    ),
  };
}

/** The planner checks `@listSize` by rules of its own, and needs none of it. */
function withoutCosts(document: DocumentNode): DocumentNode {
  const names = costDirectives(document);
  return visit(document, { Directive: ({ name }) => (names.includes(name.value) ? null : undefined) });
}

function readOverrideShares(document: DocumentNode, activeLabels: readonly string[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  visit(document, {
    FieldDefinition(field) {
      for (const use of directivesNamed(field, 'join__field')) {
        const { overrideLabel } = argumentsOf(use);
        if (typeof overrideLabel !== 'string') continue;
        const percent = /^percent\((\d+(?:\.\d+)?)\)$/.exec(overrideLabel)?.[1];
        shares.set(overrideLabel, activeLabels.includes(overrideLabel) ? 100 : Number(percent ?? 0));
      }
    },
  });
  return shares;
}

function readEventFields(document: DocumentNode, federation: FederationSupergraph): ReadonlyMap<string, EventField> {
  const fields = new Map<string, EventField>();
  const directive = linkedDirective(schemaLinks(document), eventSpec, 'event');
  if (directive === undefined) return fields;
  const root = federation.schema.schemaDefinition.rootType('subscription')?.name;
  const graphNames = graphNamesOf(document);

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const field of definition.fields ?? []) {
      const [use] = directivesNamed(field, directive);
      if (use === undefined) continue;
      const where = `${definition.name.value}.${field.name.value}`;
      if (definition.name.value !== root)
        throw new Error(`@${directive} stands on ${where}, which is no subscription field.`);
      const { stream, subject, present = false } = argumentsOf(use);
      if (typeof stream !== 'string' || stream === '' || typeof subject !== 'string' || typeof present !== 'boolean') {
        throw new Error(`@${directive} on ${where} needs a stream and a subject.`);
      }
      checkSubject(subject, field, where);
      const graph = graphOf(field, definition.directives) ?? '';
      const name = field.name.value;
      fields.set(name, { name, stream, subject, present, subgraph: graphNames.get(graph) ?? graph });
    }
  }
  return fields;
}

/** A template is literal tokens, placeholders that are whole tokens, and perhaps `>` at the end. */
function checkSubject(subject: string, field: FieldDefinitionNode, where: string): void {
  const tokens = subject.split(/\.(?![^{}]*\})/);
  tokens.forEach((token, index) => {
    if (/^[A-Za-z0-9_-]+$/.test(token) || token === '{viewer.sub}') return;
    if (token === '>' && index === tokens.length - 1 && index > 0) return;
    const name = /^\{args\.(\w+)\}$/.exec(token)?.[1];
    const argument = field.arguments?.find((one) => one.name.value === name);
    if (argument?.type.kind === Kind.NON_NULL_TYPE) return;
    throw new Error(
      argument === undefined
        ? `The event subject of ${where} has a token that is neither literal, {viewer.sub} nor {args.NAME}: "${token}".`
        : `The event subject of ${where} uses the argument ${argument.name.value}: ${namedTypeOf(argument.type)}, which may be null.`,
    );
  });
}

/** Subgraph names by their value in the `join__Graph` enum. */
function graphNamesOf(document: DocumentNode): Map<string, string> {
  const names = new Map<string, string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.ENUM_TYPE_DEFINITION || definition.name.value !== 'join__Graph') continue;
    for (const value of definition.values ?? []) {
      const [graph] = directivesNamed(value, 'join__graph');
      const name = graph === undefined ? undefined : argumentsOf(graph)['name'];
      names.set(value.name.value, typeof name === 'string' ? name : value.name.value);
    }
  }
  return names;
}

/** The one graph of a root field: its own `@join__field`, else its type's only `@join__type`. */
function graphOf(field: FieldDefinitionNode, typeDirectives: FieldDefinitionNode['directives']): string | undefined {
  const [own] = directivesNamed(field, 'join__field');
  const [type] = directivesNamed({ directives: typeDirectives }, 'join__type');
  const source = own ?? type;
  const graph = source === undefined ? undefined : argumentsOf(source)['graph'];
  return typeof graph === 'string' ? graph : undefined;
}
