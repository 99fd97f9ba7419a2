// Whether a text is a document that may be executed: within the limits, parsed, valid. What is cheap to find out comes first, and what
// is found wrong is bounded too: one text of a megabyte must not keep the others waiting.
import { GraphQLError, OverlappingFieldsCanBeMergedRule, parse, specifiedRules, validate } from 'graphql';
import type { DocumentNode, GraphQLSchema, ValidationRule } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { inStage } from '../service/telemetry.ts';
import { deferRule } from './defer-rules.ts';
import { forgetPlaces } from './document-places.ts';
import { measureText } from './document-text.ts';
import { withCode, withoutDocument } from './errors.ts';
import { exceededLimits, limitError, measureDocument } from './limits.ts';
import type { Exceeded, Limits } from './limits.ts';
import { mergeableFieldsRule } from './mergeable-fields.ts';

/** A document is right, or wrong for some reasons; and it is over some limits, which may only be measured. */
export type CheckedDocument = { readonly exceeded: readonly Exceeded[] } & (
  | {
      readonly document: DocumentNode;
      /** Fields of its largest operation. */
      readonly height: number;
    }
  | { readonly errors: readonly GraphQLError[] }
);

/** Checks a text against a schema. Never throws. */
export type CheckDocument = (schema: GraphQLSchema, text: string) => CheckedDocument;

/** Whoever mends these finds the others; each looks for names that are alike in the whole schema, and counts lines. */
const maxErrors = 20;

export function createDocumentCheck(options: {
  readonly limits: Limits;
  /** Whether `__schema` and `__type` are answered. */
  readonly introspection: boolean;
}): CheckDocument {
  const { limits, introspection } = options;
  const rules = [...rulesButMerging, deferRule, ...(introspection ? [] : [noIntrospection])];
  const maxTokens = limits.measureOnly.has('tokens') ? undefined : limits.tokens;
  const settings = { hideSuggestions: !introspection, maxErrors };

  const invalidities = (schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] => {
    const errors = validate(schema, document, rules, settings);
    return errors.length > 0 ? errors : validate(schema, document, [mergeableFieldsRule], settings);
  };

  return (schema, text) => {
    const { lines, nesting } = measureText(text);
    let exceeded = exceededLimits({ tokens: lines, nesting }, limits);
    const wrong = (errors: readonly GraphQLError[]): CheckedDocument => ({
      errors: errors.map(withoutDocument),
      exceeded,
    });
    const refusals = (): readonly GraphQLError[] => exceeded.filter(({ refused }) => refused).map(limitError);
    if (refusals().length > 0) return wrong(refusals());

    let document: DocumentNode;
    try {
      document = inStage('graphql.parse', () => parse(text, { maxTokens }));
    } catch (error) {
      return wrong([parseFailure(error, limits.tokens)]);
    }
    try {
      const measures = measureDocument(document);
      const tokens = Math.max(lines, document.tokenCount ?? 0);
      exceeded = exceededLimits({ ...measures, tokens, nesting: Math.max(nesting, measures.nesting) }, limits);
      if (refusals().length > 0) return wrong(refusals());
      const invalid = inStage('graphql.validate', () => invalidities(schema, document));
      if (invalid.length > 0) return wrong(invalid.map(validationFailure));
      forgetPlaces(document);
      return { document, exceeded, height: measures.height };
    } catch (error) {
      // graphql-js throws where a variable conditions the root field of a subscription, and where nesting is only measured.
      return wrong([new CodedError('GRAPHQL_VALIDATION_FAILED', undefined, {}, error)]);
    }
  };
}

/** graphql-js leaves this to the execution. */
const rootTypeRule: ValidationRule = (context) => ({
  OperationDefinition(node) {
    if (context.getSchema().getRootType(node.operation)) return;
    context.reportError(new GraphQLError(`The schema has no ${node.operation}s.`, { nodes: node }));
  },
});

/** Refuses `__schema` and `__type`. */
const noIntrospection: ValidationRule = (context) => ({
  Field(node) {
    if (node.name.value === '__schema' || node.name.value === '__type') {
      context.reportError(new CodedError('INTROSPECTION_DISABLED'));
    }
  },
});

const rulesButMerging = [...specifiedRules.filter((rule) => rule !== OverlappingFieldsCanBeMergedRule), rootTypeRule];

function parseFailure(error: unknown, maxTokens: number): GraphQLError {
  if (!(error instanceof GraphQLError)) return new CodedError('GRAPHQL_PARSE_FAILED', undefined, {}, error);
  // The parser tells its token limit by words only.
  if (/^Syntax Error: Document contains more that \d+ tokens/.test(error.message)) {
    return new CodedError('MAX_TOKENS_LIMIT', `The document has more than ${maxTokens} tokens.`, {
      allowed: maxTokens,
    });
  }
  return withCode(error, 'GRAPHQL_PARSE_FAILED');
}

const validationFailure = (error: GraphQLError): GraphQLError =>
  error instanceof CodedError ? error : withCode(error, 'GRAPHQL_VALIDATION_FAILED');
