// Reads the `@link`s of a supergraph document: which features it uses, and under which name their directives stand in it.
import { Kind, valueFromASTUntyped } from 'graphql';
import type { ConstDirectiveNode, DocumentNode, TypeNode } from 'graphql';

/** One `@link`. */
export interface Link {
  /** `https://specs.apollo.dev/authenticated` of `https://specs.apollo.dev/authenticated/v0.1`. */
  readonly spec: string;
  readonly as: string | undefined;
  /** Local names by the name in the specification, both without `@`. */
  readonly imports: ReadonlyMap<string, string>;
}

/** Every `@link` on the schema. */
export function schemaLinks(document: DocumentNode): Link[] {
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.SCHEMA_DEFINITION || definition.kind === Kind.SCHEMA_EXTENSION
      ? directivesNamed(definition, 'link').map(toLink)
      : [],
  );
}

/** The name under which a directive of a linked specification stands in the document; undefined when it is not linked. */
export function linkedDirective(links: readonly Link[], spec: string, directive: string): string | undefined {
  const link = links.find((one) => one.spec === spec);
  if (link === undefined) return undefined;
  const imported = link.imports.get(directive);
  if (imported !== undefined) return imported;
  // A specification's main directive carries its name; others are prefixed with it.
  const namespace = link.as ?? spec.slice(spec.lastIndexOf('/') + 1);
  return spec.endsWith(`/${directive}`) ? namespace : `${namespace}__${directive}`;
}

/** The uses of a directive on a definition. */
export function directivesNamed(
  node: { readonly directives?: readonly ConstDirectiveNode[] | undefined },
  name: string,
): ConstDirectiveNode[] {
  return (node.directives ?? []).filter((directive) => directive.name.value === name);
}

/** The arguments of a directive as plain values; enum values become strings. */
export function argumentsOf(directive: ConstDirectiveNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    (directive.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
  );
}

/** The named type inside lists and non-nulls. */
export function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type);
}

function toLink(directive: ConstDirectiveNode): Link {
  const { url, as, import: imports } = argumentsOf(directive);
  const names = new Map<string, string>();
  for (const entry of Array.isArray(imports) ? (imports as unknown[]) : []) {
    const [name, local] =
      typeof entry === 'object' && entry !== null
        ? [(entry as { name?: unknown }).name, (entry as { as?: unknown }).as]
        : [entry, undefined];
    if (typeof name === 'string') names.set(bare(name), bare(typeof local === 'string' ? local : name));
  }
  return {
    spec: typeof url === 'string' ? url.replace(/\/v\d+\.\d+$/, '') : '',
    as: typeof as === 'string' ? as : undefined,
    imports: names,
  };
}

const bare = (name: string): string => name.replace(/^@/, '');
