/** Headers of a pack (a JetStream message with one or more messages of one pipeline). */
export const packHeaders = {
  msgId: 'Nats-Msg-Id',
  customerId: 'Customer-ID',
  pipeline: 'Vrsky-Pipeline',
  revision: 'Vrsky-Revision',
  connection: 'Vrsky-Connection',
  /** How many messages are inside. */
  pack: 'Vrsky-Pack',
  /** `0`: all entries are of one tenant. */
  mixed: 'Vrsky-Mixed',
  /** Keyed proof that the platform stamped this pack; see proof.ts. */
  proof: 'Vrsky-Proof',
  /** Destinations, with commas, that get this pack in strict order, from the queue of that name and from no other. */
  ordered: 'Vrsky-Ordered',
  /** On the retry lane: not due before this time, in milliseconds since the Unix epoch. */
  notBefore: 'Vrsky-Not-Before',
  /** On the retry lane: attempts made so far. */
  attempt: 'Vrsky-Attempt',
  /** On the retry lane: `sequence.index` of the message as it first came in. */
  origin: 'Vrsky-Origin',
  /** On the retry lane and in the DLQ: when it was first stored, in milliseconds since the Unix epoch. */
  storedAt: 'Vrsky-Stored-At',
  /** On a message that was sent again: the sequence of the dead letter. */
  replayOf: 'Vrsky-Replay-Of',
  /** The node at which the senders of these messages wait for the pipeline's result; goes along with retries and answers. */
  replyTo: 'Vrsky-Reply-To',
  /** Of answers, and of retries of them: which message each one's sender waits for, in the order of the entries. */
  replyFor: 'Vrsky-Reply-For',
  /** Of answers that are the input of the next stage: which destination gave them, and to which messages, in the order of the entries. */
  answerOf: 'Vrsky-Answer-Of',
  answerTo: 'Vrsky-Answer-To',
  /** In the DLQ: why, and a stable code. */
  reason: 'Vrsky-Reason',
  reasonCode: 'Vrsky-Reason-Code',
  destination: 'Vrsky-Destination',
} as const;

/** Header of a result on its way back: which message it is of. */
export const REPLY_MESSAGE = 'Vrsky-Message';
/** Header and metadata key of the Customer-ID on every hop, the outgoing request included. */
export const CUSTOMER_ID = 'Customer-ID';
/** The same on every attempt for one message and destination, so that a receiver can drop repeats. */
export const IDEMPOTENCY_KEY = 'Idempotency-Key';
/** On a message that is an answer, for its steps: the status with which the receiver gave it. */
export const ANSWER_STATUS = 'vrsky-answer-status';
