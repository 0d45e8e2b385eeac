/** Runs one step of a longer job and prints one line for it, with its time. The work answers with what to say about it. */
export async function step(name: string, work: () => Promise<string> | string): Promise<void> {
  const startedAt = performance.now();
  process.stdout.write(`  ${name.padEnd(16)} `);
  let result = 'failed';
  try {
    result = await work();
  } finally {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${result.padEnd(46)} ${seconds.padStart(6)} s`);
  }
}
