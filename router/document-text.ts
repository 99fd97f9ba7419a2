// What is measured on the text of a document before it is parsed: what a parser that goes down by recursion, and errors that count
// lines, cannot take without end. One pass, without a token made.

export interface TextMeasures {
  readonly lines: number;
  /** Levels of brackets inside brackets, whatever they hold: selections, lists, objects, arguments. */
  readonly nesting: number;
}

export function measureText(text: string): TextMeasures {
  let lines = 1;
  let open = 0;
  let nesting = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '{':
      case '[':
      case '(':
        open += 1;
        nesting = Math.max(nesting, open);
        break;
      case '}':
      case ']':
      case ')':
        open -= 1;
        break;
      case '\r':
        if (text[at + 1] !== '\n') lines += 1;
        break;
      case '\n':
        lines += 1;
        break;
      case '#':
        at = lastOfComment(text, at);
        break;
      case '"':
        if (text.startsWith('"""', at)) {
          const last = lastOfBlockString(text, at);
          lines += linesIn(text, at, last);
          at = last;
        } else {
          at = lastOfString(text, at);
        }
    }
  }
  return { lines, nesting };
}

/** Where a comment ends, its line break not included. */
function lastOfComment(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at += 1;
  return at - 1;
}

/** The closing quote; what does not end on its line is an error for the parser to tell. */
function lastOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === '\n' || text[at] === '\r') return at - 1;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

function lastOfBlockString(text: string, from: number): number {
  let end = text.indexOf('"""', from + 3);
  while (end > 0 && text[end - 1] === '\\') end = text.indexOf('"""', end + 3);
  return end < 0 ? text.length : end + 2;
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = from; at < to; at++) {
    if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n')) lines += 1;
  }
  return lines;
}
