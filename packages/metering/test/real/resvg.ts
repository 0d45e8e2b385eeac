import { withInstance } from './with-instance.ts';
import { digest, type Workload } from './workload.ts';

const size = 160;
const paths = Array.from(
  { length: 30 },
  (_, i) => `<path d="M${i * 5} ${(i * 37) % size} q 50 ${i} 60 60 t 40 ${i}" fill="url(#g)" stroke="black" opacity="0.${1 + (i % 9)}"/>`,
);
const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient></defs>${paths.join('')}</svg>`;

/** `@resvg/resvg-wasm`. */
export interface ResvgGlue {
  initWasm(module: unknown): Promise<void>;
  Resvg: new (picture: string) => { render(): { pixels: Uint8Array; free(): void }; free(): void };
}

/** Rust: draws a picture. The glue keeps one instance, so that another start needs another copy of the glue. */
export function createResvg({ initWasm, Resvg }: ResvgGlue): Workload {
  return {
    async start(module) {
      const instance = await withInstance(() => initWasm(module));
      return {
        instance,
        run() {
          const renderer = new Resvg(picture);
          const image = renderer.render();
          const text = digest(image.pixels);
          image.free();
          renderer.free();
          return text;
        },
      };
    },
  };
}
