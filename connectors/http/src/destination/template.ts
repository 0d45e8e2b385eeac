import type { Delivery } from '@vrsky/sdk/connector';

/** Text with `{{ … }}` in it, read once; rendering it for a message fails only with TemplateFailed. */
export interface Template {
  render(values: TemplateValues): string;
  /** Whether it is the same for every message. */
  readonly isFixed: boolean;
}

/** The text cannot be read as a template; the message is a sentence for the customer. */
export class TemplateInvalid extends Error {
  override name = 'TemplateInvalid';
}

/** A message does not have what a template needs; the message is a sentence for the customer. */
export class TemplateFailed extends Error {
  readonly code = 'TEMPLATE_FAILED';
}

type Expression = { from: 'literal'; text: string } | { from: 'message'; steps: (string | number)[] } | { from: 'header'; name: string } | { from: Field };
type Field = 'messageId' | 'customerId' | 'pipelineId' | 'contentType';
interface Hole {
  expression: Expression;
  /** As it is written, for sentences. */
  text: string;
  /** Taken when there is nothing. */
  fallback: string | null;
  encode: Encode;
}
/** Makes a value fit for its place. */
type Encode = (value: unknown, text: string) => string;

const RENDERED_CHARS_MAX = 4_194_304;
const EXPRESSIONS_MAX = 200;
const STEPS_MAX = 32;
/** A source does not hand these on, and a template is no way around it. */
const credentials = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** What a template can name of one message. The payload is read as JSON when the first one asks, once. */
export class TemplateValues {
  private readonly delivery: Delivery;
  private parsed: { value: unknown } | null = null;

  constructor(delivery: Delivery) {
    this.delivery = delivery;
  }

  take(expression: Expression): unknown {
    switch (expression.from) {
      case 'literal':
        return expression.text;
      case 'header':
        return this.delivery.headers.find(([name]) => name.toLowerCase() === expression.name)?.[1];
      case 'message':
        return at(this.message(), expression.steps);
      default:
        return this.delivery[expression.from];
    }
  }

  private message(): unknown {
    this.parsed ??= { value: parsePayload(this.delivery.payload) };
    return this.parsed.value;
  }
}

function parsePayload(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload), keepDigits as (key: string, value: unknown) => unknown);
  } catch {
    throw new TemplateFailed('The message is not JSON, and the destination’s templates take values out of it.');
  }
}

const json = JSON as unknown as { rawJSON(text: string): unknown; isRawJSON(value: unknown): value is { rawJSON: string } };

/** A number that a double cannot hold keeps its digits: ids of 19 of them are common. */
function keepDigits(_: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === 'number' && source !== undefined && String(value) !== source ? json.rawJSON(source) : value;
}

function at(value: unknown, steps: readonly (string | number)[]): unknown {
  let here = value;
  for (const step of steps) {
    if (typeof here !== 'object' || here === null || json.isRawJSON(here) || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  return json.isRawJSON(value) ? value.rawJSON : JSON.stringify(value);
}

class Parts implements Template {
  private readonly parts: readonly (string | Hole)[];
  readonly isFixed: boolean;

  constructor(parts: readonly (string | Hole)[]) {
    this.parts = parts;
    this.isFixed = parts.every((part) => typeof part === 'string');
  }

  render(values: TemplateValues): string {
    let text = '';
    for (const part of this.parts) {
      text += typeof part === 'string' ? part : fill(part, values);
      if (text.length > RENDERED_CHARS_MAX) throw new TemplateFailed('What a template of the destination makes of this message is larger than 4 MiB.');
    }
    return text;
  }
}

function fill({ expression, text, fallback, encode }: Hole, values: TemplateValues): string {
  const value = values.take(expression);
  if (value !== undefined && value !== '') return encode(value, text);
  if (fallback !== null) return encode(fallback, text);
  // An empty text is a value of the message; an empty header or content type is none.
  if (value === '' && expression.from === 'message') return encode(value, text);
  throw new TemplateFailed(`The message has no ${text}, which a template of the destination needs. Give it a value for such messages: {{ ${text} ?? "…" }}.`);
}

/** Splits a text into what is fixed and what is not. */
function split(text: string, encodeAt: (fixedBefore: string) => Encode): (string | Hole)[] {
  const parts: (string | Hole)[] = [];
  let count = 0;
  let rest = text;
  let before = '';
  for (;;) {
    const start = rest.indexOf('{{');
    if (start < 0) break;
    const inner = /^\{\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}\}/.exec(rest.slice(start));
    if (inner === null)
      throw new TemplateInvalid(`What begins with ${JSON.stringify(rest.slice(start, start + 20))} is no template: write {{ message.name }}.`);
    if (++count > EXPRESSIONS_MAX) throw new TemplateInvalid(`A template has at most ${EXPRESSIONS_MAX} places to fill.`);
    const fixed = rest.slice(0, start);
    if (fixed !== '') parts.push(fixed);
    before += fixed;
    parts.push({ ...parseExpression((inner[1] as string).trim()), encode: encodeAt(before) });
    before += HOLE;
    rest = rest.slice(start + inner[0].length);
  }
  if (rest !== '') parts.push(rest);
  return parts;
}
/** Stands for a hole where the text around it is looked at: no character of JSON that means something. */
const HOLE = '\u0000';

function parseExpression(text: string): Omit<Hole, 'encode'> {
  const [, source = '', fallbackText] = /^((?:[^?"]|"(?:[^"\\]|\\.)*")*?)(?:\s*\?\?\s*("(?:[^"\\]|\\.)*"))?$/s.exec(text) ?? [];
  const expression = findExpression(source.trim());
  if (expression === null) {
    throw new TemplateInvalid(
      `“${text.slice(0, 60)}” is not known in a template: there are message.…, header.…, messageId, customerId, pipelineId, contentType and "text", each with ?? "text" for when there is none.`,
    );
  }
  if (expression.from === 'header' && credentials.has(expression.name))
    throw new TemplateInvalid(`The sender’s ${expression.name} header is not passed on. Use the destination’s own authentication.`);
  return { expression, text: source.trim(), fallback: fallbackText === undefined ? null : parseString(fallbackText) };
}

function findExpression(text: string): Expression | null {
  if (text === 'messageId' || text === 'customerId' || text === 'pipelineId' || text === 'contentType') return { from: text };
  if (text.startsWith('"')) return { from: 'literal', text: parseString(text) };
  const header = /^header(?:\.([A-Za-z0-9_-]{1,128})|\[("[^"\\]{1,128}")\])$/.exec(text);
  if (header !== null) return { from: 'header', name: (header[1] ?? parseString(header[2] as string)).toLowerCase() };
  if (!/^message(?![A-Za-z0-9_$])/.test(text)) return null;
  const steps: (string | number)[] = [];
  let rest = text.slice('message'.length);
  while (rest !== '') {
    const step = /^(?:\.([\p{L}_$][\p{L}\p{N}_$-]*)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\])/u.exec(rest);
    if (step === null || steps.length >= STEPS_MAX) return null;
    steps.push(step[1] ?? (step[2] === undefined ? parseString(step[3] as string) : Number(step[2])));
    rest = rest.slice(step[0].length);
  }
  return { from: 'message', steps };
}

function parseString(quoted: string): string {
  try {
    const text: unknown = JSON.parse(quoted);
    if (typeof text === 'string') return text;
  } catch {
    // Said below.
  }
  throw new TemplateInvalid(`${quoted.slice(0, 60)} is not a text in quotes.`);
}

const asText: Encode = (value) => (value === null ? '' : toText(value));

/** For a header's value: a line break, or what is no Latin-1, is refused and never cut out. */
export function compileHeader(text: string): Template {
  return new Parts(
    split(text, () => (value, name) => {
      const made = asText(value, name);
      if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(made))
        throw new TemplateFailed(`${name} has a line break or a character that cannot be in a header, and a header of the destination is made of it.`);
      return made;
    }),
  );
}

/** For a method: what comes out is one of `methods`. */
export function compileMethod(text: string, methods: readonly string[]): Template {
  const parts = new Parts(split(text, () => asText));
  const render = (values: TemplateValues): string => {
    const made = parts.render(values).trim().toUpperCase();
    if (!methods.includes(made)) throw new TemplateFailed(`The method that the destination’s template makes of this message is none of ${methods.join(', ')}.`);
    return made;
  };
  return { isFixed: parts.isFixed, render };
}

export type BodyFormat = 'json' | 'form' | 'xml' | 'text';

/** For a body. In JSON a hole in quotes becomes text of that string, one outside of them a value of its own. */
export function compileBody(format: BodyFormat, text: string): Template {
  if (format === 'text') return new Parts(split(text, () => asText));
  if (format === 'form') return new Parts(split(text, () => (value, name) => encodeForm(asText(value, name))));
  if (format === 'xml') return new Parts(split(text, () => (value, name) => encodeXml(asText(value, name))));
  const parts = split(text, (before) =>
    isInString(before) ? (value, name) => JSON.stringify(asText(value, name)).slice(1, -1) : (value) => JSON.stringify(value),
  );
  checkJson(parts);
  return new Parts(parts);
}

/** Whether the end of a piece of JSON is inside a string. */
function isInString(text: string): boolean {
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') inside = !inside;
    else if (inside && text[i] === '\\') i++;
  }
  return inside;
}

function checkJson(parts: readonly (string | Hole)[]): void {
  let sample = '';
  for (const part of parts) sample += typeof part === 'string' ? part : isInString(sample) ? 'x' : 'null';
  try {
    JSON.parse(sample);
  } catch {
    throw new TemplateInvalid('With its places filled this is not JSON. Check commas, quotes and brackets.');
  }
}

function encodeForm(text: string): string {
  return encodeUri(text).replaceAll('%20', '+');
}

function encodeXml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML cannot hold
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replace(/[&<>"']/g, (char) => names[char] as string);
}

function encodeUri(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A URL of which the host is fixed. */
export interface UrlTemplate {
  /** The fixed part, with `/` as its path. */
  origin: URL;
  /** Path and query. */
  path: Template;
}

/**
 * Reads a URL with holes in its path and query. A hole anywhere before is refused: where a message goes is the destination's choice, never the
 * message's. Throws TemplateInvalid.
 */
export function compileUrl(text: string): UrlTemplate {
  const mark = freeMark(text);
  const holes: Hole[] = [];
  let marked = '';
  for (const part of split(text, () => asText)) {
    if (typeof part === 'string') marked += part;
    else {
      marked += `${mark}${holes.length}x`;
      holes.push(part);
    }
  }
  const url = URL.parse(marked);
  const wrong = new TemplateInvalid('Enter a whole http or https URL without user name and password');
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw wrong;
  if (`${url.host}${url.username}${url.password}`.toLowerCase().includes(mark))
    throw new TemplateInvalid('The host of a URL is fixed: use templates only after it');
  if (url.username !== '' || url.password !== '') throw wrong;
  const made = (piece: string, encode: Encode): (string | Hole)[] =>
    piece.split(new RegExp(`${mark}(\\d+)x`)).flatMap((item, i): (string | Hole)[] => {
      if (i % 2 === 1) return [{ ...(holes[Number(item)] as Hole), encode }];
      return item === '' ? [] : [item];
    });
  const encodeValue: Encode = (value, name) => encodeUri(asText(value, name));
  const parts = url.pathname
    .split('/')
    .slice(1)
    .map((segment) => made(segment, encodeValue));
  const query = made(url.search, encodeValue);
  const segments = parts.map((segment) => new Parts(segment));
  const search = new Parts(query);
  const path =
    segments.every((segment) => segment.isFixed) && search.isFixed ? new Parts([`${url.pathname}${url.search}`]) : new PathTemplate(segments, search);
  return { origin: new URL('/', url.origin), path };
}

/** A word that is not in a text, so that what stands for holes is not taken for something else. */
function freeMark(text: string): string {
  let mark = 'zqhole';
  while (text.toLowerCase().includes(mark)) mark += 'q';
  return mark;
}

class PathTemplate implements Template {
  readonly isFixed = false;
  private readonly segments: readonly Parts[];
  private readonly search: Parts;

  constructor(segments: readonly Parts[], search: Parts) {
    this.segments = segments;
    this.search = search;
  }

  render(values: TemplateValues): string {
    let path = '';
    for (const segment of this.segments) {
      const made = segment.render(values);
      // One that is empty, or leads up, would make another address of it: DELETE /users/ is not DELETE /users/7.
      if (!segment.isFixed && (made === '' || made === '.' || made === '..'))
        throw new TemplateFailed('A part of the destination’s URL would be empty, “.” or “..” for this message, which makes another address of it.');
      path += `/${made}`;
    }
    return path + this.search.render(values);
  }
}
