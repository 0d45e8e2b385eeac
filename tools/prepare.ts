import { buildConnectors, generateCode } from './build.ts';
import { installBubblewrap } from './install-bubblewrap.ts';
import { installNatsServer } from './install-nats-server.ts';
import { step } from './progress.ts';
import { sentenceOf } from './sentence.ts';

// The second half of bootstrap, on the project's own Node.
try {
  await step('nats-server', installNatsServer);
  await step('bubblewrap', installBubblewrap);
  await step('generated code', generateCode);
  await step('connectors', buildConnectors);
} catch (error) {
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
