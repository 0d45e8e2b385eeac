/**
 * The oracle: counts instruction by instruction. It has its own reader of the format and knows nothing of basic blocks: before every
 * instruction it adds the instruction's price to an exported global `count`.
 */
const free = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a]);

export function countEach(module: Uint8Array): Uint8Array {
  let at = 8;
  const sections: { id: number; body: number[] }[] = [];
  let types: { params: number }[] = [];
  let importedGlobals = 0;
  let ownGlobals = 0;
  const functionTypes: number[] = [];
  const readU32 = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const skipName = (): void => {
    const length = readU32();
    at += length;
  };
  const skipLimits = (): void => {
    const flags = module[at++] as number;
    readU32();
    if ((flags & 1) === 1) readU32();
  };

  while (at < module.length) {
    const id = module[at++] as number;
    const length = readU32();
    const start = at;
    const end = at + length;
    if (id === 1) {
      types = Array.from({ length: readU32() }, () => {
        at++;
        const params = readU32();
        at += params;
        const results = readU32();
        at += results;
        return { params };
      });
    } else if (id === 2) {
      for (let n = readU32(); n > 0; n--) {
        skipName();
        skipName();
        const kind = module[at++];
        if (kind === 0) readU32();
        else if (kind === 1) {
          at++;
          skipLimits();
        } else if (kind === 2) skipLimits();
        else if (kind === 4) {
          at++;
          readU32();
        } else {
          at += 2;
          importedGlobals++;
        }
      }
    } else if (id === 3) for (let n = readU32(); n > 0; n--) functionTypes.push(readU32());
    else if (id === 6) ownGlobals = readU32();
    if (id !== 0) sections.push({ id, body: [...module.subarray(start, end)] });
    at = end;
  }
  const global = importedGlobals + ownGlobals;
  const has = (id: number): boolean => sections.some((section) => section.id === id);
  const order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
  for (const id of [6, 7]) if (!has(id)) sections.push({ id, body: [0] });
  sections.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));

  const out: number[] = [...module.subarray(0, 8)];
  for (const { id, body } of sections) {
    const content =
      id === 6
        ? appended(body, [0x7e, 1, 0x42, 0, 0x0b])
        : id === 7
          ? appended(body, [5, ...new TextEncoder().encode('count'), 3, ...u32(global)])
          : id === 10
            ? code(body)
            : body;
    out.push(id, ...u32(content.length), ...content);
  }
  return Uint8Array.from(out);

  function code(body: number[]): number[] {
    const bytes = Uint8Array.from(body);
    let position = 0;
    const u = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[position++] as number;
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 128) return value;
      }
    };
    const count = u();
    const written: number[] = [...u32(count)];
    for (let i = 0; i < count; i++) {
      const size = u();
      const end = position + size;
      const groups = u();
      const locals: number[] = [];
      let localCount = (types[functionTypes[i] as number] as { params: number }).params;
      for (let g = 0; g < groups; g++) {
        const from = position;
        localCount += u();
        position++;
        locals.push(...bytes.subarray(from, position));
      }
      const inside: number[] = [...u32(groups + 1), ...locals, 1, 0x7f];
      while (position < end) {
        const from = position;
        const opcode = bytes[position] as number;
        const dynamic = skipInstruction();
        const price = free.has(opcode) ? 0 : opcode === 0x08 || opcode === 0x09 ? 1000 : 1;
        if (price > 0) inside.push(0x23, ...u32(global), 0x42, ...u32(price), 0x7c, 0x24, ...u32(global));
        if (dynamic) {
          inside.push(0x22, ...u32(localCount), 0x23, ...u32(global), 0x20, ...u32(localCount), 0xad);
          if (dynamic === 'eighth') inside.push(0x42, 3, 0x88);
          if (dynamic === 'page') inside.push(0x42, 10, 0x86);
          inside.push(0x7c, 0x24, ...u32(global));
        }
        inside.push(...bytes.subarray(from, position));
      }
      written.push(...u32(inside.length), ...inside);
    }
    return written;

    function skipInstruction(): 'eighth' | 'one' | 'page' | undefined {
      const opcode = bytes[position++] as number;
      const leb = (): void => {
        while ((bytes[position++] as number) > 127);
      };
      if (opcode === 0x02 || opcode === 0x03 || opcode === 0x04 || opcode === 0x06)
        leb(); // a block type is a LEB too
      else if (
        (opcode >= 0x07 && opcode <= 0x09) ||
        opcode === 0x18 ||
        opcode === 0x0c ||
        opcode === 0x0d ||
        opcode === 0x10 ||
        opcode === 0x12 ||
        (opcode >= 0x20 && opcode <= 0x26) ||
        opcode === 0xd0 ||
        opcode === 0xd2
      )
        leb();
      else if (opcode === 0x11 || opcode === 0x13) {
        leb();
        leb();
      } else if (opcode === 0x0e) for (let n = u() + 1; n > 0; n--) leb();
      else if (opcode === 0x1c) {
        const types = u();
        position += types;
      } else if (opcode >= 0x28 && opcode <= 0x3e) {
        leb();
        leb();
      } else if (opcode === 0x3f || opcode === 0x40) {
        leb();
        if (opcode === 0x40) return 'page';
      } else if (opcode === 0x41 || opcode === 0x42) leb();
      else if (opcode === 0x43) position += 4;
      else if (opcode === 0x44) position += 8;
      else if (opcode === 0xfc) {
        const operation = u();
        if ([8, 10, 12, 14].includes(operation)) leb();
        if (operation >= 8) leb();
        if ([8, 10, 11].includes(operation)) return 'eighth';
        if ([12, 14, 15, 17].includes(operation)) return 'one';
      } else if (opcode === 0xfd) {
        const operation = u();
        const memory = operation <= 11 || (operation >= 84 && operation <= 93);
        if (memory) {
          leb();
          leb();
        }
        if (operation === 12 || operation === 13) position += 16;
        else if ((operation >= 21 && operation <= 34) || (operation >= 84 && operation <= 91)) position++;
      }
      return undefined;
    }
  }
}

function appended(body: number[], item: number[]): number[] {
  let at = 0;
  let count = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = body[at++] as number;
    count += (byte & 0x7f) * 2 ** shift;
    if (byte < 128) break;
  }
  return [...u32(count + 1), ...body.slice(at), ...item];
}

function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
