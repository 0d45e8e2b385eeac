/** What a step logs for one message: so many lines and bytes, and a word about the rest. */
export interface LogLines {
  readonly lines: string[];
  /** Whether another line would be kept. */
  readonly hasRoom: boolean;
  add(line: string): void;
}

export function createLogLines(linesMax: number, bytesMax: number): LogLines {
  const lines: string[] = [];
  let linesLeft = linesMax;
  let room = bytesMax;
  return {
    lines,
    get hasRoom() {
      return linesLeft > 0 && room > 0;
    },
    add(line) {
      if (linesLeft <= 0 || room <= 0) return;
      linesLeft--;
      const kept = line.length > room ? `${line.slice(0, room)}…` : line;
      room -= kept.length;
      lines.push(kept);
      if (linesLeft === 0 || room <= 0) lines.push('… what follows is not kept');
    },
  };
}
