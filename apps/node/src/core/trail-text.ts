import { limits } from '@vrsky/contracts/limits';

/** Of an answer that said the message is taken, less is kept: nobody reads ten thousand times "ok". */
const takenAnswerCharsMax = 256;
/** What the answers in one trail record may take together. */
const answersOfRecordCharsMax = 1_048_576;

/** A receiver's answer as the trail keeps it: text, cut; undefined when there is none. */
export function answerText(answer: Uint8Array, wasTaken: boolean, messagesInRecord: number): string | undefined {
  if (answer.length === 0) return undefined;
  const most = wasTaken ? takenAnswerCharsMax : limits.answerBytesMax;
  const share = Math.max(64, Math.floor(answersOfRecordCharsMax / messagesInRecord));
  const bytes = answer.subarray(0, Math.min(most, share));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/** A sentence of bounded length for a trail. */
export function reasonText(reason: string): string {
  return reason.length > 1_000 ? `${reason.slice(0, 999)}…` : reason;
}
