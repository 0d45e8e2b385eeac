/** Exit code of a process whose configuration is wrong (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIG = 78;

export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Env = Readonly<Record<string, string | undefined>>;

/** Reads typed values from environment variables and collects every problem, so that a person fixes them in one go. */
export interface EnvReader {
  text(name: string, fallback?: string): string;
  integer(name: string, range: { min: number; max: number; fallback?: number }): number;
  flag(name: string, fallback: boolean): boolean;
  list(name: string, fallback: string[]): string[];
  optional(name: string): string | undefined;
  /** Call last. Throws ConfigError naming every variable that was missing or did not parse. */
  check(): void;
}

export function createEnvReader(env: Env): EnvReader {
  const problems: string[] = [];
  const optional = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return {
    optional,
    text(name, fallback) {
      const value = optional(name) ?? fallback;
      if (value === undefined) problems.push(`${name} is missing`);
      return value ?? '';
    },
    integer(name, { min, max, fallback }) {
      const raw = optional(name);
      if (raw === undefined && fallback !== undefined) return fallback;
      const value = raw !== undefined && /^-?\d+$/.test(raw) ? Number(raw) : Number.NaN;
      if (!(value >= min && value <= max)) problems.push(`${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(raw ?? '')}`);
      return value;
    },
    flag(name, fallback) {
      const raw = optional(name);
      if (raw === undefined) return fallback;
      if (raw !== 'true' && raw !== 'false') problems.push(`${name} must be true or false, not ${JSON.stringify(raw)}`);
      return raw === 'true';
    },
    list(name, fallback) {
      const raw = optional(name);
      return raw === undefined
        ? fallback
        : raw
            .split(',')
            .map((item) => item.trim())
            .filter((item) => item !== '');
    },
    check() {
      if (problems.length > 0) throw new ConfigError(problems);
    },
  };
}
