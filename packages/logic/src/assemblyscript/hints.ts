/**
 * What someone who knows TypeScript stumbles over in AssemblyScript, and what to write instead. The message is the compiler's; `before` and
 * `at` are the source before and from the place of the problem.
 */
interface Hint {
  message: RegExp;
  before?: RegExp;
  at?: RegExp;
  say: string | ((match: RegExpMatchArray) => string);
}

const results = 'A step returns json(…), text(…), bytes(…), pass() or ctx.filter(…)';

const hints: Hint[] = [
  {
    message: /Not implemented: Closures/,
    say: 'A function inside of another cannot use its variables: AssemblyScript has no closures. Use a for loop, or a variable at the top level',
  },
  {
    message: /Not implemented: union types/,
    say: 'AssemblyScript has no union types, but for "T | null" of strings and objects. Values of JSON are of type Json',
  },
  {
    message: /Not implemented: Iterators/,
    say: 'AssemblyScript has no for…of: write for (let i = 0; i < list.length; i++), and list.at(i) for an array of JSON',
  },
  {
    message: /Not implemented: Exceptions/,
    say: 'AssemblyScript has no try and catch: what fails ends the step. Ask beforehand, with msg.tryJson(), has(…), isString and the like',
  },
  { message: /Not implemented: Spread/, say: 'AssemblyScript has no spread operator: use concat(…) or a loop' },
  { message: /Not implemented: Regular expressions/, say: 'AssemblyScript has no regular expressions: use indexOf, startsWith, split and replaceAll' },
  {
    message: /Cannot find name '(any|unknown|never|object|Record|Partial|Pick|Omit)'/,
    say: (match) => `AssemblyScript has no "${match[1]}": every value has one type. Values of JSON are of type Json; use a class or a Map for others`,
  },
  { message: /Cannot find name 'bigint'/, say: 'AssemblyScript has no bigint: integers of 64 bits are i64 and u64' },
  {
    message: /cannot immediately follow a numeric literal/,
    at: /^n\b/,
    say: 'AssemblyScript has no bigint: integers of 64 bits are i64 and u64, and are written without an n',
  },
  {
    message: /Cannot find name 'JSON'/,
    say: 'There is no JSON here: read it with msg.json() or Json.parse(text), write it with JsonObject and JsonArray',
  },
  { message: /Cannot find name 'undefined'/, say: 'AssemblyScript has no undefined: use null, or "exists" of a value of JSON' },
  {
    message: /Cannot find name '(fetch|XMLHttpRequest|WebSocket|setTimeout|setInterval|queueMicrotask|Promise|process|require|crypto|performance|globalThis)'/,
    say: (match) => `A step has no ${match[1]}: it has no network, no files and no timers`,
  },
  {
    message: /Property '(map|filter|forEach|reduce|find|some|every|slice|includes|indexOf|join)' does not exist on type 'Json'/,
    say: (match) => `A value of JSON has no ${match[1]}: write for (let i = 0; i < list.length; i++) with list.at(i)`,
  },
  {
    message: /Property '(\w+)' does not exist on type 'Json'/,
    say: (match) => `Members of a JSON object are read by their key: .get('${match[1]}'), or .str('${match[1]}'), .num(…), .int(…), .bool(…) for its value`,
  },
  {
    message: /Type '<object>' is not assignable|Cannot create an instance of an abstract class|The type of this is not known/,
    at: /^\{/,
    say: "An object needs a class in AssemblyScript. JSON is written with new JsonObject().set('id', …)",
  },
  { message: /Expression expected/, at: /^async\b/, say: 'A step cannot be async: there is nothing that it could wait for' },
  { message: /Expression expected/, at: /^await\b/, say: 'A step cannot await: there is nothing that it could wait for' },
  {
    message: /Expression expected/,
    before: /\?$/,
    at: /^\./,
    say: "AssemblyScript has no \"?.\": check with if first. A missing value of JSON can be asked on: order.get('a').get('b')",
  },
  {
    message: /Expression expected/,
    before: /\?$/,
    at: /^\?/,
    say: 'AssemblyScript has no "??": write a !== null ? a! : b. For JSON there are strOr(…), numOr(…), intOr(…) and boolOr(…)',
  },
  { message: /Identifier expected/, at: /^(const|let|var)\s*[{[]/, say: 'AssemblyScript has no destructuring: write one variable for each value' },
  {
    message: /Identifier expected/,
    before: /\b(const|let|var)\s*$/,
    at: /^[{[]/,
    say: 'AssemblyScript has no destructuring: write one variable for each value',
  },
  { message: /Type '(.+) \| null' is not assignable to type '\1'/, say: 'It may be null: leave with if (!value) … before, or write value! if you know better' },
  { message: /is not assignable to type 'i32'/, before: /(\breturn|=>)\s*\(?\s*$/, say: results },
  { message: /must return a value/, say: results },
  { message: /Conversion from type '(\w+)' to '(\w+)' requires an explicit cast/, say: (match) => `Write <${match[2]}>(…) if you mean it: digits may be lost` },
  { message: /Operator '.+' cannot be applied to types '\w+' and '(\w+)'/, say: (match) => `Make both the same type, with <${match[1]}>(…) around the other` },
  {
    message: /The type of this is not known|Type 'auto'/,
    say: 'Give its type: for a function that is passed on, those of its parameters and of its result, such as list.map<string>((item: string): string => …)',
  },
];

/** The message with the names that its reader knows, and what to write instead if that is known. */
export function explain(message: string, source: string, start: number): string {
  const plain = plainNames(message);
  const before = source.slice(Math.max(0, start - 80), start);
  const at = source.slice(start, start + 80);
  for (const hint of hints) {
    const match = plain.match(hint.message);
    if (!match || (hint.before && !hint.before.test(before)) || (hint.at && !hint.at.test(at))) continue;
    return `${typeof hint.say === 'string' ? hint.say : hint.say(match)} (${plain.replace(/\.$/, '')})`;
  }
  return plain;
}

/** The compiler names types after their files, and has words for what only it knows. */
function plainNames(message: string): string {
  return message
    .replace(/^User-defined: '([\s\S]*)'$/, '$1')
    .replace(/(?:~lib|step)\/(?:[\w@.-]+\/)*(\w+)/g, '$1')
    .replace(/\bString\b/g, 'string')
    .replace(/^Type argument expected\.$/, 'The type of this is not known');
}
