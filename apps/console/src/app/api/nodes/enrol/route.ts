import { serveEnrolment } from '../../../../server/serve-enrolment.ts';

export const dynamic = 'force-dynamic';
export { serveEnrolment as POST };
