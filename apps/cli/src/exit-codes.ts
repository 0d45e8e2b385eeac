/** What `vrsky` ends with; scripts tell outcomes apart by these. docs/cli.md has the same table, and a test compares them. */
export const exitCodes = {
  ok: { code: 0, means: 'It worked. `run`: the step let the message pass or converted it.' },
  bug: { code: 1, means: 'A fault of `vrsky` itself; the output has its story.' },
  usage: { code: 2, means: 'The command line, a file it names or the project is not right. Nothing was done.' },
  build: { code: 3, means: 'The code does not compile, or does not load.' },
  filtered: { code: 4, means: '`run`: the step filtered the message.' },
  failed: { code: 5, means: '`run`: the step failed on the message, or reached a limit.' },
  fixtures: { code: 6, means: 'A fixture does not hold. `publish`: nothing was sent, or the server refused it for that.' },
  refused: { code: 7, means: 'The server does not answer, or refuses: wrong key, no such pipeline, a draft that is not ready.' },
  rollout: { code: 8, means: '`publish --wait`: it is published, but a node rejected it or did not run it in time.' },
  connector: { code: 9, means: '`connector check`: the connector does not do something that a node relies on.' },
} as const;

export type Exit = keyof typeof exitCodes;
