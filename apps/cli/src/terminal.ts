/** Where the program writes: results to `out`, everything said about them to `err`. */
export interface Terminal {
  out(text: string | Uint8Array): void;
  err(line: string): void;
  readonly paint: Paint;
  /** Says what is going on when `work` takes longer than a second. */
  during<T>(what: string, work: Promise<T>): Promise<T>;
}

/** Colours for `err`; without a terminal they leave the text as it is. */
export interface Paint {
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

interface Stream {
  write(chunk: string | Uint8Array): unknown;
  isTTY?: boolean;
}

export interface ColourSettings {
  NO_COLOR?: string | undefined;
  FORCE_COLOR?: string | undefined;
  TERM?: string | undefined;
}

export function createTerminal(streams: { stdout: Stream; stderr: Stream }, settings: ColourSettings): Terminal {
  const { stdout, stderr } = streams;
  const paint = createPaint(wantsColour(settings, stderr.isTTY === true));
  return {
    out: (text) => void stdout.write(text),
    err: (line) => void stderr.write(`${line}\n`),
    paint,
    async during(what, work) {
      const startedAt = performance.now();
      let shown = false;
      const show = (): void => {
        const seconds = Math.floor((performance.now() - startedAt) / 1000);
        if (stderr.isTTY) stderr.write(`\r${what} … ${seconds} s`);
        else if (!shown) stderr.write(`${what} …\n`);
        shown = true;
      };
      const timer = setInterval(show, SHOW_AFTER_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
        if (shown && stderr.isTTY) stderr.write(`\r${' '.repeat(what.length + 12)}\r`);
      }
    },
  };
}

const SHOW_AFTER_MS = 1_000;

/** https://no-color.org and https://force-color.org: what the person asks for comes before what the terminal can do. */
export function wantsColour({ NO_COLOR, FORCE_COLOR, TERM }: ColourSettings, isTerminal: boolean): boolean {
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return isTerminal && TERM !== 'dumb';
}

function createPaint(colours: boolean): Paint {
  const code =
    (open: number, close: number) =>
    (text: string): string =>
      colours ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { red: code(31, 39), green: code(32, 39), yellow: code(33, 39), dim: code(2, 22), bold: code(1, 22) };
}
