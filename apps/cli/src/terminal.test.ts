import { describe, expect, it } from 'vitest';
import { createTerminal, wantsColour } from './terminal.ts';

describe('colours', () => {
  it('are for terminals, unless the person says otherwise', () => {
    expect(wantsColour({}, true)).toBe(true);
    expect(wantsColour({}, false)).toBe(false);
    expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false);
    expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false);
    expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true);
    expect(wantsColour({ FORCE_COLOR: '1' }, false)).toBe(true);
    expect(wantsColour({ FORCE_COLOR: '0' }, true)).toBe(false);
    expect(wantsColour({ FORCE_COLOR: '1', NO_COLOR: '1' }, false)).toBe(false);
  });

  it('leave the text as it is without a terminal', () => {
    const { terminal } = recorded({});
    expect(terminal.paint.red(terminal.paint.bold('x'))).toBe('x');
    expect(recorded({ isTTY: true }).terminal.paint.red('x')).toBe('\u001b[31mx\u001b[39m');
  });
});

describe('what takes longer than a second', () => {
  it('is named, on stderr, and gone when it is over', async () => {
    const { terminal, err, out, saw } = recorded({ isTTY: true });
    let end = (_value: string): void => {};
    const work = terminal.during('Counting', new Promise<string>((resolve) => (end = resolve)));
    await saw('Counting … 1 s');
    end('done');
    expect(await work).toBe('done');
    expect(err().endsWith('\r')).toBe(true);
    expect(out()).toBe('');
  });

  it('is named once where there is no terminal', async () => {
    const { terminal, err, saw } = recorded({});
    let end = (): void => {};
    const work = terminal.during('Counting', new Promise<void>((resolve) => (end = resolve)));
    await saw('Counting …\n');
    end();
    await work;
    expect(err()).toBe('Counting …\n');
  });
});

function recorded(stream: { isTTY?: boolean }) {
  let [out, err] = ['', ''];
  const waiting: { text: string; resolve: () => void }[] = [];
  const stderr = {
    ...stream,
    write(text: string | Uint8Array) {
      err += String(text);
      for (const waiter of waiting) if (err.includes(waiter.text)) waiter.resolve();
    },
  };
  return {
    terminal: createTerminal({ stdout: { write: (text) => (out += String(text)) }, stderr }, {}),
    out: () => out,
    err: () => err,
    saw: (text: string) => new Promise<void>((resolve) => waiting.push({ text, resolve })),
  };
}
