import type { ServerResponse } from 'node:http';
import type { Reply } from '@vrsky/sdk/connector';
import { failedProblem } from './problem.ts';

/** By which a sender that waits for the pipeline's result finds its message, and knows what it got. */
const MESSAGE_ID = 'vrsky-message-id';
const RESULT = 'vrsky-result';
/** A result is its pipeline's word, and whoever is shown it must not take it for the platform's, nor keep it. */
const guards = ['x-content-type-options', 'nosniff', 'content-security-policy', 'sandbox', 'cache-control', 'no-store'];

/** Answers a sender with what the pipeline made of its message, or that this is still to come. */
export function sendResult(response: ServerResponse, messageId: string, reply: Reply): void {
  const own = [MESSAGE_ID, messageId, RESULT, reply.status, ...guards];
  switch (reply.status) {
    case 'done':
      return sendDone(response, reply, own);
    case 'filtered':
      response.writeHead(204, own);
      response.end();
      return;
    case 'failed':
      return sendText(response, 502, 'application/problem+json', failedProblem(messageId, reply), own);
    case 'too_large':
    case 'pending':
      return sendText(response, 202, 'application/json', `{"messageId":"${messageId}"}`, own);
  }
}

/** Answers a repeat of a message whose result was told before: results are not kept. */
export function sendRepeat(response: ServerResponse, messageId: string): void {
  sendText(response, 202, 'application/json', `{"messageId":"${messageId}","duplicate":true}`, [MESSAGE_ID, messageId, ...guards]);
}

function sendDone(response: ServerResponse, { peerStatus, payload, contentType }: Reply, own: string[]): void {
  if (peerStatus === 204 || peerStatus === 205) {
    response.writeHead(204, own);
    response.end();
    return;
  }
  response.writeHead(peerStatus >= 200 && peerStatus <= 203 ? peerStatus : 200, [
    ...(payload.length === 0 && contentType === '' ? [] : ['content-type', safeContentType(contentType)]),
    'content-length',
    String(payload.length),
    ...own,
  ]);
  response.end(payload);
}

function sendText(response: ServerResponse, status: number, contentType: string, body: string, own: string[]): void {
  response.writeHead(status, ['content-type', contentType, 'content-length', String(Buffer.byteLength(body)), ...own]);
  response.end(body);
}

/** What a step or a receiver calls its result, if that is a content type; else it is only bytes. */
export function safeContentType(contentType: string): string {
  return contentType.length <= 200 && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?: *; *[\x20-\x7e]*)?$/.test(contentType) ? contentType : 'application/octet-stream';
}
