import { parseArgs } from 'node:util';
import { compare, createModuleGenerator } from './random-modules.ts';

const { values } = parseArgs({ options: { modules: { type: 'string', default: '1000' }, from: { type: 'string', default: '0' } } });
let generator = await createModuleGenerator();
const from = Number(values.from);
const total = { modules: 0, completed: 0, trapped: 0, instructions: 0, refused: 0, problems: 0 };
for (let seed = from; seed < from + Number(values.modules); seed++) {
  // The program keeps what it allocates, and ends when there is no more.
  if (total.modules % 400 === 399) {
    generator.close();
    generator = await createModuleGenerator();
  }
  const { completed, trapped, instructions, refused, problem } = compare(generator.make(seed));
  total.modules++;
  total.completed += completed;
  total.trapped += trapped;
  total.instructions += instructions;
  if (refused) total.refused++;
  if (problem !== null) {
    total.problems++;
    console.log(`module ${seed}: ${problem}`);
  }
}
generator.close();
console.log(
  `${total.modules} modules: ${total.completed} calls came back with equal results and counts (${total.instructions.toLocaleString('en')} instructions), ${total.trapped} trapped equally, ${total.refused} modules were refused, ${total.problems} differ`,
);
process.exitCode = total.problems === 0 ? 0 : 1;
