import { AppError, isAppError } from '@vrsky/kernel/errors';
import { NO_COMMON_VERSION, parseVersions, versionRefused } from './handshake.ts';
import { type LaunchedPlugin, type LaunchOptions, launchPlugin } from './launch.ts';
import type { PluginLogRecord } from './plugin-log.ts';

/** How go-plugin's own library begins to explain a plugin to somebody who has not the right cookie, and how ours does. */
const COOKIE_REFUSALS = ['This binary is a plugin.', 'This program is a plugin of VRSky.'];

/**
 * Launches a plugin as `launchPlugin` does, and says better why it did not start where the plugin's own log tells: all versions that
 * it speaks (`PLUGIN.VERSION`), or that it belongs to another application (`PLUGIN.COOKIE`).
 */
export async function launchExplained(options: LaunchOptions): Promise<LaunchedPlugin> {
  let theirs: number[] = [];
  const onLog = (record: PluginLogRecord): void => {
    const { versions } = record.fields;
    if (record.message === NO_COMMON_VERSION && typeof versions === 'string') theirs = parseVersions(versions);
    options.onLog(record);
  };
  try {
    return await launchPlugin({ ...options, onLog });
  } catch (error) {
    if (!isAppError(error)) throw error;
    // By now the process has been ended and all that it wrote has been read.
    if (error.code === 'PLUGIN.VERSION' && theirs.length > 0) throw versionRefused(theirs, options.versions);
    const { stderr } = error.details;
    if (error.code === 'PLUGIN.EXITED' && COOKIE_REFUSALS.some((words) => String(stderr).includes(words))) throw otherApplication(error);
    throw error;
  }
}

function otherApplication(cause: AppError): AppError {
  return new AppError({
    code: 'PLUGIN.COOKIE',
    kind: 'precondition',
    source: 'plugin',
    message: 'the program is a plugin of another application: it does not know our cookie',
    publicMessage: 'This program is a plugin of another application, not a connector for this platform. Install a connector in its place.',
    details: cause.details,
    cause,
  });
}
