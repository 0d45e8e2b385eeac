import { connectorCallRoutes } from './connector-call-routes.ts';
import { connectorRoutes } from './connector-routes.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { messageRoutes } from './message-routes.ts';
import { pipelineRoutes } from './pipeline-routes.ts';
import type { Route } from './route.ts';
import { secretRoutes } from './secret-routes.ts';
import { stepRoutes } from './step-routes.ts';

/** Everything below `/api/v1`. */
export const routes: readonly Route[] = [
  ...pipelineRoutes,
  ...stepRoutes,
  ...messageRoutes,
  ...deadLetterRoutes,
  ...connectorRoutes,
  ...connectorCallRoutes,
  ...secretRoutes,
];
