import { AppError } from '@vrsky/kernel/errors';

/** The text of a JSON request's body, at most `bytesMax` of it. */
export async function readJsonText(request: Request, bytesMax: number): Promise<string> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== 'application/json' && !type.endsWith('+json')) {
    throw new AppError({ code: 'REQUEST.NOT_JSON', kind: 'invalid', message: `content type ${type}`, publicMessage: 'Send the body as application/json.' });
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax)
      throw new AppError({
        code: 'REQUEST.TOO_LARGE',
        kind: 'invalid',
        message: `a body over ${bytesMax} bytes`,
        publicMessage: `A request body has at most ${bytesMax} bytes.`,
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError({
      code: 'REQUEST.MALFORMED_JSON',
      kind: 'invalid',
      message: 'the body is not JSON',
      publicMessage: text === '' ? 'This call needs a JSON body.' : 'The body is not JSON.',
      cause,
    });
  }
}
