import { ErrorSource, SendStatus } from './gen/vrsky/connector/v1/connector_pb.ts';
import { bytesTag, Reader, textBound, varintLength, varintTag, Writer } from './wire.ts';

/** What became of one message at its destination. */
export interface SendResult {
  seq: number;
  status: 'unspecified' | 'ok' | 'retryable' | 'permanent' | 'rate_limited';
  source: 'unspecified' | 'plugin' | 'downstream';
  reason: string;
  code: string;
  retryAfterMs: number;
  peerStatus: number;
  peerAnswer: Uint8Array;
  startedAtUs: number;
  durationUs: number;
  peerAnswerType: string;
  peerAnswerCut: boolean;
}

const statusNumbers: Record<SendResult['status'], number> = {
  unspecified: SendStatus.UNSPECIFIED,
  ok: SendStatus.OK,
  retryable: SendStatus.RETRYABLE,
  permanent: SendStatus.PERMANENT,
  rate_limited: SendStatus.RATE_LIMITED,
};
const statusNames = Object.keys(statusNumbers) as SendResult['status'][];
const sourceNumbers: Record<SendResult['source'], number> = {
  unspecified: ErrorSource.UNSPECIFIED,
  plugin: ErrorSource.PLUGIN,
  downstream: ErrorSource.DOWNSTREAM,
};
const sourceNames = Object.keys(sourceNumbers) as SendResult['source'][];

const RESULTS = bytesTag(1);
const SEQ = varintTag(1);
const STATUS = varintTag(2);
const ERROR_SOURCE = varintTag(3);
const REASON = bytesTag(4);
const CODE = bytesTag(5);
const RETRY_AFTER_MS = varintTag(6);
const PEER_STATUS = varintTag(7);
const PEER_ANSWER = bytesTag(8);
const STARTED_AT_US = varintTag(9);
const DURATION_US = varintTag(10);
const PEER_ANSWER_TYPE = bytesTag(11);
const PEER_ANSWER_CUT = varintTag(12);
const RESULT_OVERHEAD = 74;

export function encodeSendResults(results: readonly SendResult[]): Uint8Array {
  let bound = 0;
  for (const { reason, code, peerAnswer, peerAnswerType } of results)
    bound += textBound(reason) + textBound(code) + textBound(peerAnswerType) + peerAnswer.length + RESULT_OVERHEAD;
  const writer = new Writer(bound);
  for (const result of results) {
    const guess = varintLength(result.reason.length + result.code.length + result.peerAnswer.length + result.peerAnswerType.length + 28);
    const lengthAt = writer.open(RESULTS, guess);
    writer.number(SEQ, result.seq);
    writer.number(STATUS, statusNumbers[result.status]);
    writer.number(ERROR_SOURCE, sourceNumbers[result.source]);
    writer.text(REASON, result.reason);
    writer.text(CODE, result.code);
    writer.number(RETRY_AFTER_MS, result.retryAfterMs);
    writer.number(PEER_STATUS, result.peerStatus);
    writer.bytes(PEER_ANSWER, result.peerAnswer);
    writer.number(STARTED_AT_US, result.startedAtUs);
    writer.number(DURATION_US, result.durationUs);
    writer.text(PEER_ANSWER_TYPE, result.peerAnswerType);
    writer.number(PEER_ANSWER_CUT, result.peerAnswerCut ? 1 : 0);
    writer.close(lengthAt, guess);
  }
  return writer.done();
}

/** Throws WireError. */
export function decodeSendResults(frame: Uint8Array): SendResult[] {
  const reader = new Reader(frame);
  const frameEnd = reader.end;
  const results: SendResult[] = [];
  while (reader.at < frameEnd) {
    const tag = reader.tag();
    if (tag === RESULTS) results.push(readResult(reader));
    else reader.skip(tag);
  }
  return results;
}

const EMPTY = new Uint8Array(0);

function readResult(reader: Reader): SendResult {
  const outer = reader.end;
  const end = reader.length();
  const result: SendResult = {
    seq: 0,
    status: 'unspecified',
    source: 'unspecified',
    reason: '',
    code: '',
    retryAfterMs: 0,
    peerStatus: 0,
    peerAnswer: EMPTY,
    startedAtUs: 0,
    durationUs: 0,
    peerAnswerType: '',
    peerAnswerCut: false,
  };
  reader.end = end;
  while (reader.at < end) {
    const tag = reader.tag();
    switch (tag) {
      case SEQ:
        result.seq = reader.varint();
        break;
      case STATUS:
        result.status = statusNames[reader.uint32()] ?? 'unspecified';
        break;
      case ERROR_SOURCE:
        result.source = sourceNames[reader.uint32()] ?? 'unspecified';
        break;
      case REASON:
        result.reason = reader.text();
        break;
      case CODE:
        result.code = reader.text();
        break;
      case RETRY_AFTER_MS:
        result.retryAfterMs = reader.uint32();
        break;
      case PEER_STATUS:
        result.peerStatus = reader.uint32();
        break;
      case PEER_ANSWER:
        result.peerAnswer = reader.bytes();
        break;
      case STARTED_AT_US:
        result.startedAtUs = reader.varint();
        break;
      case DURATION_US:
        result.durationUs = reader.uint32();
        break;
      case PEER_ANSWER_TYPE:
        result.peerAnswerType = reader.text();
        break;
      case PEER_ANSWER_CUT:
        result.peerAnswerCut = reader.varint() !== 0;
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.end = outer;
  return result;
}
