import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CliError } from './cli-error.ts';
import type { Settings } from './config.ts';
import { type Exit, exitCodes } from './exit-codes.ts';
import { version } from './installation.ts';
import { templates } from './templates.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line (without `node` and the program's name) and gives back what the process ends with. */
export async function runProgram(args: readonly string[], settings: Settings, terminal: Terminal): Promise<number> {
  let exit: Exit = 'ok';
  const program = createProgram(settings, terminal, (reached) => {
    exit = reached;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCodes[exit].code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage.code;
    if (!(error instanceof CliError)) throw error;
    for (const line of error.details) terminal.err(line);
    terminal.err(`${terminal.paint.red('error')}: ${error.message}`);
    return exitCodes[error.exit].code;
  }
}

/** The commands and their options. What a command does is loaded when it is called: compilers take long to load, and help should not. */
export function createProgram(settings: Settings, terminal: Terminal, reach: (exit: Exit) => void): Command {
  const program = new Command('vrsky')
    .description(
      'Builds, runs, tests and publishes steps of VRSky pipelines, in the sandbox of the platform: the same result, the same number of instructions. Builds connectors, and checks them as a node would run them.',
    )
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('(vrsky --help shows the commands)')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text.trimEnd()),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
    .exitOverride();
  const command = (name: string): Command =>
    program
      .command(name)
      .helpOption('-h, --help', 'show this help')
      .showHelpAfterError(`(vrsky ${name.split(' ')[0]} --help shows what it takes)`);

  command('init <dir>')
    .description('Make a new project: a step with fixtures, or a connector with a test, and what an editor needs.')
    .addOption(new Option('--template <template>', 'a step in a language, or a connector in one').choices(templates).default('typescript'))
    .addOption(
      new Option('--kind <kind>', 'of a step: one that makes a new message, or one that lets pass or drops').choices(['convert', 'filter']).default('convert'),
    )
    .action(async (dir, options) => (await import('./commands/init.ts')).init(dir, options, terminal));

  withTarget(command('build'))
    .description('Check and compile a step or a connector into dist/, and print the hash of what was made. The same sources give the same hash.')
    .option('--json', 'print what was built as JSON')
    .action(async (step, options) => (await import('./commands/build.ts')).build(step, options, settings, terminal));

  withTarget(command('run'))
    .description('Run a step on one message: its output goes to stdout, everything else to stderr.')
    .requiredOption('--input <file>', "the message's payload; - reads stdin")
    .option('--headers <header...>', 'name=value, or a file with a JSON object or one name: value a line', [])
    .option('--content-type <type>', 'of the payload', 'application/json')
    .option('--message-id <id>', 'random numbers are made of it')
    .option('--limits <limit...>', 'instructions=…, instructionsPerKib=…, memoryBytes=…, depth=…, outputBytes=…, logLines=…, logBytes=…', [])
    .option('--json', 'print outcome, output, reason, logs, instructions, limit and durationMs as JSON')
    .action(async (step, options) => reach(await (await import('./commands/run.ts')).run(step, options, terminal)));

  withTarget(command('test'))
    .description('Run the fixtures (fixtures/*.json), and show what differs.')
    .option('--json', 'print the results as JSON')
    .action(async (step, options) => (await import('./commands/test.ts')).test(step, options, terminal));

  withTarget(command('publish'))
    .description(
      "Put the step with its fixtures into a pipeline's step and publish the pipeline. The API key comes from VRSKY_API_KEY. A fixture that fails stops it.",
    )
    .option('--url <url>', "the console's URL (default: VRSKY_URL)")
    .option('--pipeline <id or name>', 'the pipeline (default: "pipeline" in vrsky.json)')
    .option('--step <id>', 'the id of its step (default: "step" in vrsky.json)')
    .option('--create', 'add the step as the last one if the pipeline does not have it')
    .option('--wait', 'wait until the nodes run it')
    .addOption(new Option('--timeout <seconds>', 'longest wait').default(60).argParser(parseSeconds))
    .option('--json', 'print what was published as JSON')
    .action(async (step, options) => (await import('./commands/publish.ts')).publish(step, options, settings, terminal));

  const connector = program.command('connector').description('Work on connectors: check').helpOption('-h, --help', 'show this help').helpCommand(false);
  connector
    .command('check')
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(vrsky connector check --help shows what it takes)')
    .usage('[path] [options]')
    .argument('[path]', 'an executable file, or the folder of a connector that is built (default: this folder)')
    .description('Run a connector as a node would, and say what of that which a node relies on holds, and what does not with the reason.')
    .option('--settings <file>', 'settings of connections that are good, and what it takes to run them (default: settings.json of the project)')
    .option('--json', 'print the results as JSON')
    .action(async (path, options) => reach(await (await import('./commands/connector-check.ts')).connectorCheck(path, options, terminal)));
  return program;
}

/** So that the help is the same everywhere, and docs/cli.md can have it. */
const HELP_WIDTH = 100;

/** What `build`, `run`, `test` and `publish` work on. */
function withTarget(command: Command): Command {
  return command
    .usage('[step] [options]')
    .argument('[step]', 'a folder with a vrsky.json, or a .ts, .js or .wasm file (default: this folder)')
    .addOption(new Option('--kind <kind>', 'what the step is, if vrsky.json does not say').choices(['convert', 'filter']))
    .addOption(new Option('--language <language>', 'of a .ts file, if vrsky.json does not say').choices(['typescript', 'assemblyscript']));
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 3_600)) throw new InvalidArgumentError('It is a number of seconds, at most 3600.');
  return seconds;
}
