/**
 * The fuel word, an i64: instructions left above, below them the stack left for nested calls. Either is used up when it is below zero:
 * the word is negative, or the highest bit of the lower part is set.
 */
export const depthBits = 15;
/** One instruction. */
export const instruction = 2 ** depthBits;
export const depthMask = instruction - 1;
/** Set when the stack is used up. */
export const depthSign = instruction / 2;
export const depthUnitsMax = depthSign - 1;
