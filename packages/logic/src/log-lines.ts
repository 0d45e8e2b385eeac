/** What a step logs for one message: so many lines and bytes, and a word about the rest. */
export class LogLines {
  readonly lines: string[] = [];
  #linesLeft: number;
  #room: number;

  constructor(linesMax: number, bytesMax: number) {
    this.#linesLeft = linesMax;
    this.#room = bytesMax;
  }

  /** Whether another line would be kept. */
  get hasRoom(): boolean {
    return this.#linesLeft > 0 && this.#room > 0;
  }

  add(line: string): void {
    if (!this.hasRoom) return;
    this.#linesLeft--;
    const kept = line.length > this.#room ? `${line.slice(0, this.#room)}…` : line;
    this.#room -= kept.length;
    this.lines.push(kept);
    if (!this.hasRoom) this.lines.push('… what follows is not kept');
  }
}
