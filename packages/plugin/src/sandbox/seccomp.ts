import { inspectedCalls, newestCall, refusedCalls, unknownCalls } from './syscalls.ts';

/** The architectures that a filter can be made for. */
export type SeccompArch = 'x64' | 'arm64';

interface Instruction {
  code: number;
  /** Instructions to leave out when the comparison holds, and when it does not. */
  yes: number;
  no: number;
  k: number;
}

/** Classic BPF, as `<linux/bpf_common.h>` has it. */
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const JUMP_GREATER_OR_EQUAL = 0x35;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data`, on little-endian machines: of an argument, its low half. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const SECOND_ARGUMENT = 24;

const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const refuse = (errno: number): number => 0x0005_0000 | errno;
const EPERM = 1;
const ENOSYS = 38;

const AUDIT_ARCH: Record<SeccompArch, number> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Calls of the x32 interface come with x86-64's architecture and this bit. */
const X32_BIT = 0x4000_0000;
/** AF_UNIX, AF_INET, AF_INET6. */
const SOCKET_FAMILIES = [1, 2, 10];
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e02_0000;
/** Both put characters into a terminal as if a person had typed them. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

export function isSeccompArch(arch: string): arch is SeccompArch {
  return arch in AUDIT_ARCH;
}

/**
 * The filter of a plugin as an array of `struct sock_filter`, which is what `bwrap --seccomp` reads. It refuses a list of calls and lets
 * all others pass; calls of another architecture kill the process, calls newer than our list do not exist.
 */
export function seccompFilter(arch: SeccompArch): Buffer {
  const numbersOf = (calls: Readonly<Record<string, readonly [number | null, number | null]>>): number[] =>
    Object.values(calls)
      .map(([x64, arm64]) => (arch === 'x64' ? x64 : arm64))
      .filter((number) => number !== null);
  const numberOf = (name: keyof typeof inspectedCalls): number => inspectedCalls[name][arch === 'x64' ? 0 : 1];

  return assemble([
    load(ARCHITECTURE),
    ...unless(JUMP_EQUAL, AUDIT_ARCH[arch], KILL),
    load(NUMBER),
    ...(arch === 'x64' ? when(JUMP_GREATER_OR_EQUAL, X32_BIT, KILL) : []),
    ...when(JUMP_GREATER, newestCall, refuse(ENOSYS)),
    ...numbersOf(refusedCalls).flatMap((number) => when(JUMP_EQUAL, number, refuse(EPERM))),
    ...numbersOf(unknownCalls).flatMap((number) => when(JUMP_EQUAL, number, refuse(ENOSYS))),
    ...(['socket', 'socketpair'] as const).flatMap((name) =>
      forCall(numberOf(name), [load(FIRST_ARGUMENT), ...SOCKET_FAMILIES.flatMap((family) => when(JUMP_EQUAL, family, ALLOW)), answer(refuse(EPERM))]),
    ),
    ...forCall(numberOf('clone'), [load(FIRST_ARGUMENT), ...when(JUMP_ANY_BIT, NEW_NAMESPACES, refuse(EPERM)), answer(ALLOW)]),
    ...forCall(numberOf('ioctl'), [
      load(SECOND_ARGUMENT),
      ...when(JUMP_EQUAL, TIOCSTI, refuse(EPERM)),
      ...when(JUMP_EQUAL, TIOCLINUX, refuse(EPERM)),
      answer(ALLOW),
    ]),
    answer(ALLOW),
  ]);
}

const load = (offset: number): Instruction => ({ code: LOAD_WORD, yes: 0, no: 0, k: offset });
const answer = (action: number): Instruction => ({ code: RETURN, yes: 0, no: 0, k: action });
const when = (jump: number, k: number, action: number): Instruction[] => [{ code: jump, yes: 0, no: 1, k }, answer(action)];
const unless = (jump: number, k: number, action: number): Instruction[] => [{ code: jump, yes: 1, no: 0, k }, answer(action)];
/** A block that ends with an answer; what comes after it still has the number at hand. */
const forCall = (number: number, block: Instruction[]): Instruction[] => [{ code: JUMP_EQUAL, yes: 0, no: block.length, k: number }, ...block];

function assemble(program: Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, yes, no, k }, index) => {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(yes, at + 2);
    bytes.writeUInt8(no, at + 3);
    bytes.writeUInt32LE(k >>> 0, at + 4);
  });
  return bytes;
}
