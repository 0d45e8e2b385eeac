import { describe, expect, test } from 'vitest';
import { createPluginLogReader, formatLogLine, type PluginLogRecord, parseLogLine } from './plugin-log.ts';

describe('a line of a plugin', () => {
  test('in hclog’s JSON is taken apart', () => {
    expect(parseLogLine('{"@level":"warn","@message":"slow","@module":"http","@timestamp":"2026-01-01T00:00:00.000000Z","ms":12}')).toEqual({
      level: 'warn',
      message: 'slow',
      module: 'http',
      fields: { ms: 12 },
    });
  });

  test('that our own half writes comes back', () => {
    const record: PluginLogRecord = { level: 'error', message: 'broken', module: 'http', fields: { code: 'E1' } };
    expect(parseLogLine(formatLogLine(record))).toEqual(record);
  });

  test.each([
    ['a message that is a number', '{"@level":"info","@message":1}'],
    ['a level that is an object', '{"@level":{},"@message":"x"}'],
    ['a level we do not know', '{"@level":"off","@message":"x"}'],
    ['no level', '{"@message":"x"}'],
    ['broken JSON', '{"@level":'],
  ])('with %s is its own text', (_, line) => {
    expect(parseLogLine(line)).toEqual({ level: 'debug', message: line, module: '', fields: {} });
  });

  test('cannot set the fields that its message has', () => {
    expect(parseLogLine('{"@level":"info","@message":"x","level":"fatal","message":"y","tenant":"cus_other"}')).toEqual({
      level: 'info',
      message: 'x',
      module: '',
      fields: { level: 'fatal', message: 'y', tenant: 'cus_other' },
    });
  });

  test('in plain text has the level of its prefix', () => {
    expect(parseLogLine('[WARN] careful').level).toBe('warn');
    expect(parseLogLine('plain').level).toBe('debug');
  });
});

describe('the stream of a plugin’s lines', () => {
  const read = (chunks: (string | Buffer)[], nowMs: () => number = () => 0): PluginLogRecord[] => {
    const records: PluginLogRecord[] = [];
    const reader = createPluginLogReader((record) => records.push(record), nowMs);
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
    reader.end();
    return records;
  };

  test('may come in any pieces, also through the middle of a character', () => {
    const bytes = Buffer.from('{"@level":"info","@message":"grün"}\r\nend');
    for (let cut = 1; cut < bytes.length; cut++)
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)]).map((record) => record.message)).toEqual(['grün', 'end']);
  });

  test('a line without an end is passed on in pieces of at most 64 KiB', () => {
    const records = read(['x'.repeat(200_000)]);
    expect(records.map((record) => record.message.length)).toEqual([65_536, 65_536, 65_536, 3_392]);
  });

  test('more than 200 lines a second are left out, which is said once, and in the end how much it was', () => {
    const records = read(['line\n'.repeat(1_000)]);
    expect(records).toHaveLength(202);
    expect(records.at(-2)).toEqual({
      level: 'warn',
      message: 'the plugin writes more than 200 lines or 256 KiB in a second: what is beyond is left out',
      module: 'host',
      fields: {},
    });
    expect(records.at(-1)).toMatchObject({ level: 'warn', module: 'host', message: '4000 bytes of what the plugin wrote were left out' });
  });

  test('more than 256 KiB a second are left out, also of a line without an end', () => {
    const records = read(Array.from({ length: 100 }, () => 'x'.repeat(65_536)));
    expect(records.filter(({ module }) => module === '')).toHaveLength(4);
    expect(records.filter(({ module }) => module === 'host')).toHaveLength(2);
  });

  test('a flood that goes on is told of every ten seconds, and when it is over; the next whole line is passed on', () => {
    let now = 0;
    const records: PluginLogRecord[] = [];
    const reader = createPluginLogReader(
      (record) => records.push(record),
      () => now,
    );
    for (; now < 25_000; now += 100) reader.push(Buffer.from('x'.repeat(65_536)));
    const told = (): string[] => records.filter(({ module }) => module === 'host').map(({ message }) => message.replace(/\d+ bytes/, 'N bytes'));
    expect(told()).toEqual([
      'the plugin writes more than 200 lines or 256 KiB in a second: what is beyond is left out',
      'N bytes of what the plugin wrote were left out',
      'N bytes of what the plugin wrote were left out',
    ]);
    now += 2_000;
    reader.push(Buffer.from('the end of it\nhello\n'));
    expect(told()).toHaveLength(4);
    expect(records.at(-1)).toMatchObject({ message: 'hello', module: '' });
  });

  test('after a Go panic every line is an error', () => {
    expect(read(['before\npanic: oh\n\ngoroutine 1\n']).map((record) => record.level)).toEqual(['debug', 'error', 'error']);
  });
});
