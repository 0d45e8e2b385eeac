import { parseArgs } from 'node:util';
import { compare, createModuleGenerator } from './random-modules.ts';

const { values } = parseArgs({ options: { modules: { type: 'string', default: '1000' }, from: { type: 'string', default: '0' } } });
const generator = await createModuleGenerator();
const from = Number(values.from);
const total = { modules: 0, completed: 0, trapped: 0, instructions: 0, problems: 0 };
for (let seed = from; seed < from + Number(values.modules); seed++) {
  const { completed, trapped, instructions, problem } = compare(generator.make(seed));
  total.modules++;
  total.completed += completed;
  total.trapped += trapped;
  total.instructions += instructions;
  if (problem !== null) {
    total.problems++;
    console.log(`module ${seed}: ${problem}`);
  }
}
generator.close();
console.log(
  `${total.modules} modules: ${total.completed} calls came back with equal results and counts (${total.instructions.toLocaleString('en')} instructions), ${total.trapped} trapped equally, ${total.problems} differ`,
);
process.exitCode = total.problems === 0 ? 0 : 1;
