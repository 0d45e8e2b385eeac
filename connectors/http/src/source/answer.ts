import type { ServerResponse } from 'node:http';
import type { SourceSettings } from './settings.ts';

/** What was stored for a request: one message, or those that its body was split into. */
export interface Accepted {
  messageIds: readonly string[];
  isSplit: boolean;
  /** It had come before, and these are the messages of the first time. */
  duplicate: boolean;
}

/** Tells the sender that its message is stored, in the connection's words if it has some. */
export function sendAccepted(response: ServerResponse, answer: SourceSettings['answer'], accepted: Accepted): void {
  if (answer.status === 204) {
    response.writeHead(204);
    response.end();
    return;
  }
  const isOwn = answer.body !== undefined;
  const body = answer.body === undefined ? jsonOf(accepted) : answer.body.replaceAll('{{messageId}}', () => accepted.messageIds.join(','));
  const contentType = isOwn ? (answer.contentType ?? 'text/plain; charset=utf-8') : 'application/json';
  response.writeHead(answer.status, ['content-type', contentType, 'content-length', String(Buffer.byteLength(body))]);
  // Ids are ASCII, and headers and body then leave in one piece.
  if (isOwn) response.end(body);
  else response.end(body, 'latin1');
}

function jsonOf({ messageIds, isSplit, duplicate }: Accepted): string {
  const again = duplicate ? ',"duplicate":true' : '';
  return isSplit ? `{"messageIds":${JSON.stringify(messageIds)}${again}}` : `{"messageId":"${messageIds[0]}"${again}}`;
}
