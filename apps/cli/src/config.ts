import type { ColourSettings } from './terminal.ts';

/** What the environment says. */
export interface Settings {
  url: string | undefined;
  apiKey: string | undefined;
  colours: ColourSettings;
  /** What programs that we start inherit. */
  inherited: NodeJS.ProcessEnv;
}

/** A variable that is set to nothing is not set. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  return {
    url: env.VRSKY_URL || undefined,
    apiKey: env.VRSKY_API_KEY || undefined,
    colours: { NO_COLOR: env.NO_COLOR, FORCE_COLOR: env.FORCE_COLOR, TERM: env.TERM },
    inherited: env,
  };
}
