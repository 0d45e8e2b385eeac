/** A list of 32-bit numbers that grows. Reading a module fills millions of entries, for which an array of objects is too slow. */
export class IntList {
  data: Int32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Int32Array(capacity);
  }

  get(index: number): number {
    return this.data[index] as number;
  }

  push(value: number): number {
    if (this.length === this.data.length) this.#grow(1);
    this.data[this.length] = value;
    return this.length++;
  }

  push3(a: number, b: number, c: number): number {
    if (this.length + 3 > this.data.length) this.#grow(3);
    const at = this.length;
    this.data[at] = a;
    this.data[at + 1] = b;
    this.data[at + 2] = c;
    this.length = at + 3;
    return at;
  }

  #grow(atLeast: number): void {
    const larger = new Int32Array(Math.max(this.data.length * 2, this.length + atLeast));
    larger.set(this.data);
    this.data = larger;
  }
}
