import { writeFileSync } from 'node:fs';

/** How a program enters the kernel: as x86-64 does, or by the old gate of 32-bit programs. */
export type Gate = 'syscall' | 'int80';

const BASE = 0x40_0000;
const HEADERS = 120;
const EXIT_GROUP = 231;

/**
 * Writes a program for x86-64 Linux that makes one system call and ends with its error number as status (0 when there was none, 256 less
 * the answer when it answered a number). No library is in between that could do something else.
 */
export function writeSyscallProgram(file: string, call: { number: number; first?: number; second?: number; gate?: Gate }): void {
  const code = Buffer.concat([
    ...(call.gate === 'int80'
      ? [withNumber(0xb8, call.number), withNumber(0xbb, call.first ?? 0), Buffer.from([0xcd, 0x80])]
      : [
          withNumber(0xb8, call.number),
          withNumber(0xbf, call.first ?? 0),
          withNumber(0xbe, call.second ?? 0),
          // xor edx, edx; xor r10d, r10d; xor r8d, r8d; xor r9d, r9d; syscall
          Buffer.from([0x31, 0xd2, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0, 0x45, 0x31, 0xc9, 0x0f, 0x05]),
        ]),
    Buffer.from([0xf7, 0xd8, 0x89, 0xc7]), // neg eax; mov edi, eax
    withNumber(0xb8, EXIT_GROUP),
    Buffer.from([0x0f, 0x05]),
  ]);
  writeFileSync(file, Buffer.concat([headers(HEADERS + code.length), code]), { mode: 0o755 });
}

/** A `mov` of a constant into a register. */
function withNumber(opcode: number, value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(opcode, 0);
  bytes.writeUInt32LE(value >>> 0, 1);
  return bytes;
}

/** The header of an ELF file and of its one segment, which is the whole file, readable and executable. */
function headers(size: number): Buffer {
  const bytes = Buffer.alloc(HEADERS);
  bytes.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  bytes.writeUInt16LE(2, 16); // an executable
  bytes.writeUInt16LE(62, 18); // for x86-64
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64);
  bytes.writeUInt32LE(5, 68);
  bytes.writeBigUInt64LE(BigInt(BASE), 80);
  bytes.writeBigUInt64LE(BigInt(BASE), 88);
  bytes.writeBigUInt64LE(BigInt(size), 96);
  bytes.writeBigUInt64LE(BigInt(size), 104);
  bytes.writeBigUInt64LE(0x1000n, 112);
  return bytes;
}
