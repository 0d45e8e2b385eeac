import { requestIdOf } from '../../../server/request.ts';
import { problem } from '../../../server/to-problem.ts';
import { findStepFile } from './step-files.ts';

/** The metered engine and the types for the step editor's workers: open source, the same for everybody, kept by browsers for good. */
export async function serveStepFile(request: Request, { params }: { params: Promise<{ name: string }> }): Promise<Response> {
  const file = await findStepFile((await params).name);
  if (!file) {
    return problem({
      status: 404,
      title: 'Not found',
      detail: 'The console was updated since the page was loaded. Reload the page.',
      code: 'STEP_FILE.NOT_FOUND',
      requestId: requestIdOf(request.headers),
    });
  }
  return new Response(file.bytes as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': file.contentType, 'cache-control': 'public, max-age=31536000, immutable' },
  });
}
