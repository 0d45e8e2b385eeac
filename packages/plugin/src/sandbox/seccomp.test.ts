import { describe, expect, test } from 'vitest';
import { isSeccompArch, type SeccompArch, seccompFilter } from './seccomp.ts';
import { inspectedCalls, newestCall, refusedCalls, unknownCalls } from './syscalls.ts';

const ARCH = { x64: 0xc000_003e, arm64: 0xc000_00b7, i386: 0x4000_0003, arm: 0x4000_0028 };

describe.each<SeccompArch>(['x64', 'arm64'])('the filter for %s', (arch) => {
  const own = arch === 'x64' ? 0 : 1;
  const ask = (number: number, args: number[] = [], from: number = ARCH[arch]): string => evaluate(seccompFilter(arch), number, from, args);

  test('refuses the calls of its lists with their own error and lets the others pass', () => {
    for (const numbers of Object.values(refusedCalls)) if (numbers[own] !== null) expect(ask(numbers[own])).toBe('EPERM');
    for (const numbers of Object.values(unknownCalls)) expect(ask(numbers[own] as number)).toBe('ENOSYS');
    const listed = new Set([refusedCalls, unknownCalls, inspectedCalls].flatMap((calls) => Object.values(calls).map((numbers) => numbers[own])));
    for (let number = 0; number <= newestCall; number++) if (!listed.has(number)) expect(ask(number)).toBe('allow');
  });

  test('ends a process that comes as another architecture', () => {
    for (const [name, audit] of Object.entries(ARCH)) if (name !== arch) expect(ask(0, [], audit)).toBe('kill');
  });

  test('looks at the family of a socket, at the flags of clone and at the command of ioctl', () => {
    const call = (name: keyof typeof inspectedCalls, ...args: number[]): string => ask(inspectedCalls[name][own], args);
    for (const name of ['socket', 'socketpair'] as const) {
      for (const family of [1, 2, 10]) expect(call(name, family)).toBe('allow');
      for (const family of [0, 3, 16, 17, 38, 40]) expect(call(name, family)).toBe('EPERM');
    }
    expect(call('clone', 0x3d0f00)).toBe('allow'); // what a thread is made with
    for (const bit of [17, 25, 26, 27, 28, 29, 30]) expect(call('clone', 0x11 | (1 << bit))).toBe('EPERM');
    expect(call('ioctl', 0, 0x5401)).toBe('allow');
    expect(call('ioctl', 0, 0x5412)).toBe('EPERM');
    expect(call('ioctl', 0, 0x541c)).toBe('EPERM');
  });

  test('knows no call that is newer than its lists', () => {
    expect(ask(newestCall + 1)).toBe('ENOSYS');
    expect(ask(0x3fff_ffff)).toBe('ENOSYS');
    expect(ask(0x4000_0000)).toBe(arch === 'x64' ? 'kill' : 'ENOSYS');
  });
});

test('there is no filter for an architecture without a list', () => {
  expect(['x64', 'arm64', 'riscv64', 'ia32'].filter(isSeccompArch)).toEqual(['x64', 'arm64']);
});

/** What the kernel would do: runs a program of classic BPF over one call. Throws where the kernel would not accept the program. */
function evaluate(program: Buffer, number: number, arch: number, args: number[]): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, index) => data.writeUInt32LE(value >>> 0, 16 + 8 * index));
  const length = program.length / 8;
  if (length > 4_096) throw new Error('the kernel takes 4096 instructions');
  let accumulator = 0;
  for (let at = 0; at < length; at++) {
    const k = program.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean): void => {
      at += program.readUInt8(at * 8 + (holds ? 2 : 3));
    };
    switch (program.readUInt16LE(at * 8)) {
      case 0x20:
        accumulator = data.readUInt32LE(k);
        break;
      case 0x15:
        jump(accumulator === k);
        break;
      case 0x25:
        jump(accumulator > k);
        break;
      case 0x35:
        jump(accumulator >= k);
        break;
      case 0x45:
        jump((accumulator & k) !== 0);
        break;
      case 0x06:
        if (k === 0x7fff_0000) return 'allow';
        if (k === 0x8000_0000) return 'kill';
        return k === 0x0005_0001 ? 'EPERM' : k === 0x0005_0026 ? 'ENOSYS' : `errno ${k}`;
      default:
        throw new Error(`an instruction that the filter does not use at ${at}`);
    }
  }
  throw new Error('the program has no end');
}
