import type { Writer } from './bytes.ts';
import { instruction } from './fuel-word.ts';
import type { FunctionType } from './module.ts';
import { op } from './opcodes.ts';

/** A function that is put in for another one, so that whoever calls it need not know where fuel is kept. */
export interface Wrapper {
  /** The function behind it. */
  callee: number;
  type: number;
  /** Of the function behind it, without fuel. */
  calleeType: FunctionType;
  /** `out`: fuel comes in the global and is a parameter of the callee. `in`: the other way round. */
  direction: 'out' | 'in';
  /** What the callee costs, when it does not pay for itself; else -1. */
  leafCost: number;
}

export function writeWrapper(out: Writer, { callee, calleeType, direction, leafCost }: Wrapper, fuel: number): void {
  const call = (): void => {
    out.u8(op.call);
    out.u32(callee);
  };
  const params = (): void => {
    for (let i = 0; i < calleeType.params.length; i++) {
      out.u8(op.localGet);
      out.u32(i);
    }
  };
  const global = (opcode: number): void => {
    out.u8(opcode);
    out.u32(fuel);
  };
  out.u32(0);
  if (leafCost >= 0) {
    global(op.globalGet);
    out.u8(op.i64Const);
    out.s64(leafCost * instruction);
    out.u8(op.i64Sub);
    global(op.globalSet);
    params();
    call();
  } else if (direction === 'out') {
    params();
    global(op.globalGet);
    call();
    global(op.globalSet);
  } else {
    out.u8(op.localGet);
    out.u32(calleeType.params.length);
    global(op.globalSet);
    params();
    call();
    global(op.globalGet);
  }
  out.u8(op.end);
}
