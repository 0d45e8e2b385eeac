import { serveStepFile } from '../../../../features/pipelines/server/serve-step-file.ts';

export const dynamic = 'force-dynamic';
export { serveStepFile as GET };
