// What a PromQL expression asks for and what its result is labelled with: as much of the language as our dashboards and alerts use.

/** A metric as an expression asks for it. */
export interface Selector {
  readonly metric: string;
  /** Labels that it must have, and, where the expression names them, values of theirs that must be possible. */
  readonly matchers: readonly { readonly label: string; readonly values: readonly string[] }[];
  /** Labels by which it is grouped. */
  readonly groupedBy: readonly string[];
}

const aggregation = /\b(?:sum|max|min|avg|count)\s*(?:by\s*\(([^)]*)\)\s*)?\(/;

/** Every metric that an expression asks for. */
export function selectorsIn(expression: string): Selector[] {
  const found = aggregation.exec(expression);
  if (found === null) return plainSelectors(expression);
  const start = found.index + found[0].length;
  const end = closing(expression, start);
  const groupedBy = listOf(found[1]);
  return [
    ...plainSelectors(expression.slice(0, found.index)),
    ...selectorsIn(expression.slice(start, end)).map((selector) => ({
      ...selector,
      groupedBy: [...selector.groupedBy, ...groupedBy],
    })),
    ...selectorsIn(expression.slice(end + 1)),
  ];
}

/** The labels of an expression's result; undefined when it keeps those of its metric. */
export function resultLabels(expression: string): readonly string[] | undefined {
  const found = aggregation.exec(expression);
  if (found === null) return undefined;
  return listOf(found[1]).filter((label) => label !== 'le' || !expression.includes('histogram_quantile'));
}

/** Words that are no function, number or unit, each with the matchers behind it. */
function plainSelectors(text: string): Selector[] {
  const bare = text.replaceAll(/\[[^\]]*\]/g, ' ');
  return [...bare.matchAll(/(?<![\w.])([a-z_][a-z0-9_]*)\b(?!\s*\()(?:\{([^}]*)\})?/gi)].map(
    ([, metric = '', inside = '']) => ({
      metric,
      matchers: [...inside.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(
        ([, label = '', operator, value = '']) => ({
          label,
          values: operator === '=~' || operator === '!~' ? value.split('|') : [value],
        }),
      ),
      groupedBy: [],
    }),
  );
}

const listOf = (text = ''): string[] =>
  text
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');

/** Where the parenthesis that was opened before `start` ends. */
function closing(text: string, start: number): number {
  let depth = 1;
  for (let index = start; index < text.length; index += 1) {
    if (text[index] === '(') depth += 1;
    if (text[index] === ')') depth -= 1;
    if (depth === 0) return index;
  }
  throw new Error(`a parenthesis is not closed: ${text}`);
}
