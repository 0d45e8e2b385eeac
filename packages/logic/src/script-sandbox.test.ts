import { describe, expect, it } from 'vitest';
import { bundled, mapping, newSandbox, order, shown, testInput, testLimits } from '../test/make.ts';
import { type SandboxInput, type SandboxLimits, SandboxLoadError } from './sandbox.ts';

const sandbox = await newSandbox();

function convert(
  body: string,
  payload: string | Uint8Array = '{}',
  more: { input?: Partial<SandboxInput>; limits?: Partial<SandboxLimits>; before?: string } = {},
) {
  return sandbox.run(sandbox.load('convert', bundled(body, more.before)), testInput(payload, more.input), { ...testLimits, ...more.limits });
}

function filter(body: string, payload = '{}') {
  return shown(sandbox.run(sandbox.load('filter', bundled(body)), testInput(payload), testLimits));
}

const made = (payload: string, contentType = 'application/json') => ({ outcome: 'made', payload, contentType });
const asItCame = (payload: string) => ({ outcome: 'made', payload, contentType: undefined });

describe('what a step reads', () => {
  it('gives the payload as JSON, text and bytes', () => {
    expect(shown(convert('return { a: message.json().a + 1, t: message.text().length, b: [...message.bytes()].length }', '{"a":1}'))).toEqual(
      made('{"a":2,"t":7,"b":7}'),
    );
  });

  it('gives what the platform knows of the message', () => {
    const input = {
      headersJson: JSON.stringify([
        ['X-Shop', 'a'],
        ['x-shop', 'b'],
        ['x-other', 'ü'],
      ]),
    };
    const body =
      'return [message.id, message.customerId, message.traceId, message.contentType, message.receivedAt.toISOString(), message.headers.get("X-SHOP"), message.headers.get("none"), message.headers.has("x-other"), [...message.headers]]';
    expect(JSON.parse(shown(convert(body, '{}', { input })).payload as string)).toEqual([
      'msg_1',
      'cus_1',
      '0af7651916cd43dd8448eb211c80319c',
      'application/json',
      '2026-01-02T03:04:05.000Z',
      'a, b',
      null,
      true,
      [
        ['X-Shop', 'a'],
        ['x-shop', 'b'],
        ['x-other', 'ü'],
      ],
    ]);
  });

  it('says that a payload is not JSON, empty, or no text', () => {
    expect(shown(convert('return message.json()', '{"a":')).reason).toMatch(/^SyntaxError: The payload is not JSON: /);
    expect(shown(convert('return message.json()', '')).reason).toBe('SyntaxError: The payload is empty, so it is not JSON');
    expect(shown(convert('return message.text()', Uint8Array.of(0x61, 0xff)))).toMatchObject({
      outcome: 'threw',
      reason: 'TypeError: The payload is not UTF-8 text: read it with msg.bytes()',
    });
  });

  it('reads text with NUL, every plane of Unicode, and without the byte order mark', () => {
    const text = 'a\0ä€\u{1f600}z';
    expect(shown(convert('return [message.text(), message.text().length]', text)).payload).toBe(JSON.stringify([text, 7]));
    expect(shown(convert('return message.text()', '\ufeff{"ä":"€\u{1f600}"}')).payload).toBe('{"ä":"€\u{1f600}"}');
  });

  it('reads every byte', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(shown(convert('return [...message.bytes()].join()', bytes)).payload).toBe([...bytes].join());
  });
});

describe('what a step returns', () => {
  it('sends text and bytes as they are, with the content type the message had', () => {
    expect(shown(convert('return "a,b"'))).toEqual(asItCame('a,b'));
    expect(shown(convert('return new Uint8Array([104, 105])'))).toEqual(asItCame('hi'));
    expect(shown(convert('return new Uint8Array([0, 104, 105, 0]).subarray(1, 3)'))).toEqual(asItCame('hi'));
    expect(shown(convert('return new Uint8Array([104]).buffer'))).toEqual(asItCame('h'));
    expect(shown(convert('return ""'))).toEqual(asItCame(''));
    expect(shown(convert('return new Uint8Array(0)'))).toEqual(asItCame(''));
  });

  it('returns every byte as it is', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const result = convert('return message.bytes()', bytes);
    expect(result).toMatchObject({ outcome: 'made' });
    if (result.outcome === 'made') expect(result.payload).toEqual(bytes);
  });

  it('sends anything else as JSON', () => {
    for (const [code, json] of [
      ['5', '5'],
      ['null', 'null'],
      ['[1,"ü"]', '[1,"ü"]'],
      ['true', 'true'],
      ['({ toJSON: () => 1 })', '1'],
      ['"\\ud800" + 1 === 1 || ["\\ud800"]', '["\\ud800"]'],
    ]) {
      expect(shown(convert(`return ${code}`))).toEqual(made(json as string));
    }
  });

  it('takes a content type of its own', () => {
    const output = '{ [Symbol.for("vrsky.output")]: true, body: "a;b", contentType: "text/csv" }';
    expect(shown(convert(`return ${output}`))).toEqual(made('a;b', 'text/csv'));
  });

  it('keeps NUL in text', () => {
    expect(shown(convert('return "a\\0b"'))).toEqual(asItCame('a\0b'));
  });

  it('waits for a promise that the step settles itself', () => {
    expect(shown(convert('return (async () => { await null; await 1; return { a: await Promise.all([1, 2]) } })()'))).toEqual(made('{"a":[1,2]}'));
    expect(shown(convert('return Promise.reject(new Error("no"))'))).toMatchObject({ outcome: 'threw', reason: 'no' });
  });

  it('says what is wrong with a result', () => {
    expect(shown(convert('message.json()'))).toEqual({ outcome: 'bad_output', reason: 'A convert step returns the new message; this one returned undefined' });
    expect(shown(convert('return () => 1'))).toEqual({ outcome: 'bad_output', reason: 'A convert step returns the new message; this one returned a function' });
    expect(shown(convert('const a = {}; a.a = a; return a')).reason).toMatch(/^The result cannot be written as JSON: .*circular/);
    expect(shown(convert('return "\\ud800"')).reason).toMatch(/surrogate/);
    expect(shown(convert('return new Promise(() => {})')).reason).toMatch(/promise that nothing settles/);
  });

  it('lets a filter keep and drop, with the reason', () => {
    expect(filter('return message.json().paid', '{"paid":true}')).toEqual({ outcome: 'kept' });
    expect(filter('return message.json().paid || "not paid"', '{"paid":false}')).toEqual({ outcome: 'dropped', reason: 'not paid' });
    expect(filter('return false')).toEqual({ outcome: 'dropped', reason: 'The filter returned false' });
    expect(filter('return 1')).toMatchObject({ outcome: 'bad_output', reason: expect.stringContaining('this one returned a number') });
  });
});

describe('the split of the instructions', () => {
  it('tells reading the payload, the step, and writing the result apart, and leaves nothing out', () => {
    const total = ({ instructions, split }: { instructions: number; split?: { decode: number; logic: number; encode: number } }) => {
      if (!split) throw new Error('no split');
      expect(split.decode + split.logic + split.encode).toBe(instructions);
      return split;
    };
    const base = total(convert('return null', order));
    expect(base.decode).toBe(0);
    const reads = total(convert('message.json(); return null', order));
    expect(reads.decode).toBeGreaterThan(50 * order.length);
    expect(reads.logic - base.logic).toBeLessThan(30_000); // freeing what was read
    expect(Math.abs(reads.encode - base.encode)).toBeLessThan(500);
    const writes = total(convert('return message.json()', order));
    // Where the allocator puts what is read differs from step to step a little.
    expect(Math.abs(writes.decode - reads.decode)).toBeLessThan(reads.decode / 50);
    expect(writes.encode).toBeGreaterThan(32 * order.length);
    const works = total(convert('const o = message.json(); for (let i = 0; i < 1000; i++); return o', order));
    expect(works.logic).toBeGreaterThan(300_000);
    expect(Math.abs(works.encode - writes.encode)).toBeLessThan(writes.encode / 50);
    expect(total(convert('return message.text()', order)).decode).toBeGreaterThan(10 * order.length);
    expect(total(convert('return message.bytes().length', order)).decode).toBeGreaterThan(100);
    expect(total(convert('try { message.json() } catch {} for (let i = 0; i < 1000; i++); return 1', '{')).logic).toBeGreaterThan(300_000);
  });
});

describe('errors', () => {
  it('gives the message of what was thrown, whatever was thrown', () => {
    for (const [code, reason] of [
      ['new Error("no such order")', 'no such order'],
      ['new TypeError("x")', 'TypeError: x'],
      ['"text"', 'A value that is no Error was thrown: text'],
      ['{ a: 1 }', 'A value that is no Error was thrown: {"a":1}'],
      ['null', 'A value that is no Error was thrown: null'],
      ['{ get message() { throw 1 } }', 'A value that cannot be shown was thrown'],
    ]) {
      expect(shown(convert(`throw ${code}`))).toMatchObject({ outcome: 'threw', reason });
    }
  });

  it('says where: the engine tells line and column', () => {
    const result = convert('\n  const a = undefined;\n  return a.b;');
    expect(result).toMatchObject({ outcome: 'threw', stack: expect.stringMatching(/step\.js:4:/) });
  });

  it('refuses code that does not load', () => {
    expect(() => sandbox.load('convert', '(() => { throw new Error("at the top") })()')).toThrow(
      expect.objectContaining({ message: 'at the top', stackText: expect.stringContaining('step.js:1:') }),
    );
    expect(() => sandbox.load('convert', '({')).toThrow(SandboxLoadError);
    expect(() => sandbox.load('convert', '({ default: 5 })')).toThrow(/no default export that is a function/);
    expect(() => sandbox.load('convert', 'for (;;);')).toThrow(/top level of the step used more than/);
    expect(() => sandbox.load('convert', 'const a = []; for (;;) a.push(new Array(1000).fill(1))')).toThrow(/memory|instructions/);
  });
});

describe('logs', () => {
  it('keeps what console.log prints, in order', () => {
    const result = convert('console.log("a", 1, { b: [2] }, null, undefined); console.error(new Error("x")); return 1');
    expect(result.logs).toEqual(['a 1 {"b":[2]} null undefined', 'x']);
  });

  it('keeps 50 lines and 8 KiB, and says that there was more', () => {
    const lines = convert('for (let i = 0; i < 60; i++) console.log("line " + i); return 1').logs;
    expect([lines.length, lines[49], lines[50]]).toEqual([51, 'line 49', '… what follows is not kept']);
    const long = convert('for (let i = 0; i < 9; i++) console.log("x".repeat(1000)); return 1').logs;
    expect(long.join('').length).toBeLessThan(8_300);
  });
});

describe('limits', () => {
  it('counts up to the limit and no further', () => {
    const { instructions } = convert('return message.json()', '{"a":1}');
    expect(convert('return message.json()', '{"a":1}', { limits: { instructions } }).outcome).toBe('made');
    expect(convert('return message.json()', '{"a":1}', { limits: { instructions: instructions - 1 } })).toMatchObject({
      outcome: 'instructions_exhausted',
      instructions: instructions - 1,
      logs: [],
    });
  });

  it('never gives an empty payload because there is no room for it', () => {
    const body =
      'const a = []; try { for (;;) a.push(new Uint8Array(65536)) } catch {} try { for (;;) a.push(new Uint8Array(4096)) } catch {} try { return message.READ().length } catch { return "caught" }';
    for (const read of ['text', 'bytes']) expect(convert(body.replace('READ', read), 'x'.repeat(100_000)).outcome).toBe('memory_exhausted');
  });

  it('does not make a step pay for a payload it does not read', () => {
    const body = 'return 1';
    expect(convert(body, '{}').instructions).toBe(convert(body, 'x'.repeat(1e6)).instructions);
  });

  it('takes a body of 1 MiB', () => {
    const big = JSON.stringify(Array.from({ length: 9_000 }, (_, i) => ({ id: i, text: 'x'.repeat(90) })));
    expect(big.length).toBeGreaterThan(1_000_000);
    const result = convert('return message.json().length', big, { limits: { instructions: 2_000_000_000 } });
    expect(shown(result)).toEqual(made('9000'));
  });
});

describe('determinism', () => {
  it('counts the same message the same, 20 times and in two instances', async () => {
    const other = await newSandbox();
    const image = sandbox.load('convert', bundled(mapping));
    const otherImage = other.load('convert', bundled(mapping));
    const counts = Array.from(
      { length: 20 },
      (_, i) => (i % 2 === 0 ? sandbox.run(image, testInput(order), testLimits) : other.run(otherImage, testInput(order), testLimits)).instructions,
    );
    expect(new Set(counts)).toEqual(new Set([counts[0]]));
  });

  it('counts what it always counted: a change here changes what customers pay, and needs a new version', () => {
    expect(sandbox.run(sandbox.load('convert', bundled(mapping)), testInput(order), testLimits).instructions).toBe(258_535);
  });

  it('runs an image of another instance with the same count', async () => {
    const other = await newSandbox();
    const image = sandbox.load('convert', bundled(mapping));
    expect(other.run(image, testInput(order), testLimits).instructions).toBe(sandbox.run(image, testInput(order), testLimits).instructions);
  });

  it('counts the same after a message that took much memory', () => {
    const image = sandbox.load('convert', bundled('const a = []; for (let i = 0; i < message.json(); i++) a.push(new Uint8Array(60000)); return a.length'));
    const count = (n: number) => sandbox.run(image, testInput(String(n)), testLimits).instructions;
    const small = count(3);
    count(200);
    expect(count(3)).toBe(small);
  });

  it('lets time stand still at the time of receipt, in UTC, and random numbers follow from the message', () => {
    const body =
      'const t = Date.now(); for (let i = 0; i < 1e4; i++); return [t === Date.now(), new Date().toString(), new Date(2020, 5, 1).getTimezoneOffset(), Math.random(), Math.random()]';
    const [same, now, offset, a, b] = JSON.parse(shown(convert(body)).payload as string);
    expect([same, now, offset]).toEqual([true, 'Fri Jan 02 2026 03:04:05 GMT+0000', 0]);
    expect(a).not.toBe(b);
    expect(JSON.parse(shown(convert(body)).payload as string).slice(3)).toEqual([a, b]);
    expect(JSON.parse(shown(convert(body, '{}', { input: { id: 'msg_2' } })).payload as string)[3]).not.toBe(a);
  });
});

describe('isolation', () => {
  it('shows nothing of one message to the next: globals, prototypes and built-ins are as they were', () => {
    const image = sandbox.load(
      'convert',
      bundled(
        `const seen = [n, globalThis.leak, {}.polluted, [].at === 1, JSON.stringify === 1, typeof message.text];
         n++; globalThis.leak = message.text(); Object.prototype.polluted = 'yes'; Array.prototype.at = 1;
         message.constructor.prototype.text = 1; seen.push(n);
         const text = JSON.stringify(seen); JSON.stringify = JSON.parse = String.prototype.indexOf = 1; return text;`,
        'let n = 0;',
      ),
    );
    const first = shown(sandbox.run(image, testInput('secret of the first'), testLimits));
    const second = shown(sandbox.run(image, testInput('second'), testLimits));
    expect(first.payload).toBe('[0,null,null,false,false,"function",1]');
    expect(second).toEqual(first);
  });

  it('leaves no byte of a message in memory', () => {
    const secret = 'b7f3-secret-of-a-message-91c2';
    const keep = sandbox.load('convert', bundled('const a = []; for (let i = 0; i < 2000; i++) a.push(message.text() + i); globalThis.a = a; return a.length'));
    // Fresh memory is taken from the free list, where what the last message left would show, were it not cleared.
    const look = sandbox.load('convert', bundled('const b = new Uint8Array(8e6); let n = 0; for (let i = 0; i < b.length; i += 4096) n += b[i]; return n'));
    expect(shown(sandbox.run(keep, testInput(secret), testLimits))).toEqual(made('2000'));
    sandbox.run(look, testInput('{}'), testLimits);
    const image = sandbox.load('convert', bundled('return 1'));
    expect(image.ownBytes).toBeLessThan(100_000); // the rest is shared with every other step
    for (const { words } of image.runs) expect(new TextDecoder('latin1').decode(words).includes(secret)).toBe(false);
  });

  it('gives a step no way out: no modules, files, timers, network or host objects', () => {
    const names = [
      'require',
      'process',
      'fetch',
      'setTimeout',
      'WebAssembly',
      'importScripts',
      'std',
      'os',
      'scriptArgs',
      'module',
      'exports',
      'Atomics',
      'Intl',
    ];
    expect(shown(convert(`return [${names.map((name) => `typeof ${name}`).join()}]`)).payload).toBe(JSON.stringify(names.map(() => 'undefined')));
    expect(shown(convert('return import("fs").then(() => "in", () => "out")'))).toMatchObject({ payload: 'out' });
    expect(
      shown(convert('return Object.getOwnPropertyNames(globalThis).filter((name) => name.toLowerCase().includes("host") || name.includes("vrsky"))')).payload,
    ).toBe('[]');
  });
});

describe('what a step finds', () => {
  it('encodes and decodes UTF-8 and base64', () => {
    const body = `
      const text = 'aä€😀';
      const bytes = new TextEncoder().encode(text);
      let fatal; try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xc3, 0x28])) } catch (e) { fatal = e.name }
      return [[...bytes], new TextDecoder().decode(bytes) === text, new TextDecoder().decode(new Uint8Array([0x61, 0xff, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xf0])), fatal, btoa('hello?>'), atob('aGVsbG8/Pg=='), atob(btoa('\\xff\\0')) === '\\xff\\0', btoa('')]`;
    const bad = Uint8Array.from([0x61, 0xff, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xf0]);
    expect(JSON.parse(shown(convert(body)).payload as string)).toEqual([
      [...new TextEncoder().encode('aä€😀')],
      true,
      new TextDecoder().decode(bad),
      'TypeError',
      btoa('hello?>'),
      'hello?>',
      true,
      '',
    ]);
  });
});
