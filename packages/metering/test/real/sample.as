// The AssemblyScript program among the real modules: text, numbers, objects, a map, sorting.

class Line {
  constructor(
    public sku: string,
    public quantity: i32,
    public price: f64,
  ) {}
}

export function run(rounds: i32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let round = 0; round < rounds; round++) {
    const lines: Line[] = [];
    for (let i = 0; i < 40; i++) lines.push(new Line(`SKU-${(i * 7919 + round) % 97}`, i % 9, 1.25 * (i % 13)));
    lines.sort((a, b) => (a.sku < b.sku ? -1 : a.sku > b.sku ? 1 : a.quantity - b.quantity));
    const totals = new Map<string, f64>();
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i];
      totals.set(line.sku, (totals.has(line.sku) ? totals.get(line.sku) : 0) + line.price * line.quantity);
    }
    const keys = totals.keys();
    let text = '';
    for (let i = 0; i < keys.length; i++) text += `${keys[i]}=${totals.get(keys[i])};`;
    for (let i = 0; i < text.length; i++) hash = (hash ^ text.charCodeAt(i)) * 0x01000193;
    hash ^= checksum(String.UTF8.encode(text));
  }
  return hash;
}

function checksum(buffer: ArrayBuffer): u32 {
  const bytes = Uint8Array.wrap(buffer);
  let a: u32 = 1;
  let b: u32 = 0;
  for (let i = 0; i < bytes.length; i++) {
    a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return (b << 16) | a;
}
