import { connectorsRouter } from '../features/connectors/server/router.ts';
import { deadLettersRouter, messagesRouter } from '../features/messages/server/router.ts';
import { nodesRouter } from '../features/nodes/server/router.ts';
import { overviewRouter } from '../features/overview/server/router.ts';
import { pipelinesRouter } from '../features/pipelines/server/router.ts';
import { receiverRouter } from '../features/receiver/server/router.ts';
import { secretsRouter } from '../features/secrets/server/router.ts';
import { apiKeysRouter, sessionRouter } from '../features/tenancy/server/router.ts';
import { liveRouter } from './live-router.ts';
import { createCallerFactory, router } from './trpc.ts';

/** Everything the console's pages can ask for. */
export const appRouter = router({
  session: sessionRouter,
  overview: overviewRouter,
  pipelines: pipelinesRouter,
  messages: messagesRouter,
  deadLetters: deadLettersRouter,
  connectors: connectorsRouter,
  nodes: nodesRouter,
  receiver: receiverRouter,
  secrets: secretsRouter,
  apiKeys: apiKeysRouter,
  live: liveRouter,
});

export type AppRouter = typeof appRouter;

export const createCaller = createCallerFactory(appRouter);
