import { parentPort, workerData } from 'node:worker_threads';
import { type Comparison, compare, createModuleGenerator } from './random-modules.ts';

/** The numbers of the modules that a thread makes and compares: from one up to, and not with, another. */
export interface Seeds {
  from: number;
  to: number;
}

/** What a thread found out, over all of its modules. */
export type Total = Record<'completed' | 'trapped' | Comparison['scheme'], number> & {
  modules: number;
  /** Of each module that is not counted alike. */
  problems: string[];
};

const { from, to } = workerData as Seeds;
const total: Total = { modules: 0, completed: 0, trapped: 0, register: 0, shared: 0, refused: 0, problems: [] };
let generator = await createModuleGenerator();
for (let seed = from; seed < to; seed++) {
  // The generator keeps what it allocates.
  if (seed % 400 === 399) {
    generator.close();
    generator = await createModuleGenerator();
  }
  const { problem, completed, trapped, scheme } = compare(generator.make(seed));
  if (problem !== null) total.problems.push(`module ${seed}: ${problem}`);
  total.modules++;
  total.completed += completed;
  total.trapped += trapped;
  total[scheme]++;
}
generator.close();
parentPort?.postMessage(total);
