import { parseArgs } from 'node:util';
import { compare, createModuleGenerator } from './random-modules.ts';

const { values } = parseArgs({ options: { modules: { type: 'string', default: '1000' }, from: { type: 'string', default: '0' } } });
let generator = await createModuleGenerator();
const from = Number(values.from);
const total = { modules: 0, completed: 0, trapped: 0, stopped: 0, instructions: 0, register: 0, shared: 0, refused: 0, problems: 0 };
for (let seed = from; seed < from + Number(values.modules); seed++) {
  // The program keeps what it allocates, and ends when there is no more.
  if (total.modules % 400 === 399) {
    generator.close();
    generator = await createModuleGenerator();
  }
  const { completed, trapped, stopped, instructions, scheme, problem } = compare(generator.make(seed));
  total.modules++;
  total.completed += completed;
  total.trapped += trapped;
  total.instructions += instructions;
  total.stopped += stopped;
  total[scheme]++;
  if (problem !== null) {
    total.problems++;
    console.log(`module ${seed}: ${problem}`);
  }
}
generator.close();
const { modules, register, shared, refused, completed, instructions, trapped, stopped, problems } = total;
console.log(
  `${modules} modules (${register} with private tables, ${shared} with shared ones, ${refused} refused): ${completed} calls came back with equal results and counts (${instructions.toLocaleString('en')} instructions), ${trapped} trapped equally, ${stopped} were stopped, ${problems} differ`,
);
process.exitCode = total.problems === 0 ? 0 : 1;
