package connector

import (
	"context"
	"sync"
	"time"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

// While no node is connected: it restarts a connector within seconds.
const noNodeRetry = time.Second

// intake is the source side's stream to the node: frames out, acknowledgements and credit in.
type intake struct {
	mu   sync.Mutex
	line *line
	// lastSeq is never used again in this process, so that a late acknowledgement of an older stream meets nobody.
	lastSeq uint64
	// window is how many messages may wait for the node's word.
	window  int
	waiting map[uint64]waiter
	// replies are of messages that are stored and whose senders wait for the result.
	replies map[uint64]replyWaiter
	// roomier is closed, and made anew, when there may be room that there was not.
	roomier chan struct{}
}

// waiter is who waits for the node's word on a message.
type waiter struct {
	receipt chan<- Receipt
	// replyUntil is zero for a sender who waits for nothing beyond that.
	replyUntil time.Time
}

// replyWaiter is who waits for the result of a message.
type replyWaiter struct {
	reply chan<- Reply
	timer *time.Timer
}

// A node remembers no more of them.
const repliesMax = 16_384

// line is one stream of a node.
type line struct {
	messages *queue[*pb.Message]
	ended    chan struct{}
}

func newIntake() *intake {
	return &intake{waiting: map[uint64]waiter{}, replies: map[uint64]replyWaiter{}, roomier: make(chan struct{})}
}

func (in *intake) Submit(ctx context.Context, message Message) Receipt {
	var replyUntil time.Time
	if message.ReplyWithin > 0 {
		replyUntil = time.Now().Add(message.ReplyWithin)
	}
	receipt := in.enter(ctx, toWire(message), replyUntil)
	select {
	case word := <-receipt:
		return word
	case <-ctx.Done():
		return Receipt{Status: ReceiptUnavailable}
	}
}

// enter puts the message on the line once the node takes more. The channel never speaks when ctx ended first.
func (in *intake) enter(ctx context.Context, message *pb.Message, replyUntil time.Time) <-chan Receipt {
	receipt := make(chan Receipt, 1)
	for {
		in.mu.Lock()
		if in.line != nil && len(in.waiting) < in.window {
			in.lastSeq++
			message.Seq = in.lastSeq
			in.waiting[message.Seq] = waiter{receipt: receipt, replyUntil: replyUntil}
			in.line.messages.add(message)
			in.mu.Unlock()
			return receipt
		}
		roomier := in.roomier
		in.mu.Unlock()
		select {
		case <-roomier:
		case <-ctx.Done():
			return receipt
		}
	}
}

// serve runs the node's stream to its end.
func (in *intake) serve(stream pb.Connector_ReceiveServer) error {
	l := in.attach()
	defer in.detach(l)
	go func() {
		defer in.detach(l)
		for {
			batch, err := stream.Recv()
			if err != nil {
				return // the stream is at its end, or this handler is
			}
			in.acknowledge(l, batch)
		}
	}()
	for {
		frame := l.messages.next(l.ended)
		if frame == nil {
			return nil
		}
		if err := stream.Send(&pb.MessageBatch{Messages: frame}); err != nil {
			return err
		}
	}
}

// attach makes a new line, which takes the place of the old one.
func (in *intake) attach() *line {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.leave()
	in.line = &line{messages: newQueue[*pb.Message](), ended: make(chan struct{})}
	return in.line
}

func (in *intake) detach(l *line) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.line == l {
		in.leave()
	}
}

// leave ends the line, if there is one. Whether its messages were stored nobody knows: their senders are told to come again.
func (in *intake) leave() {
	if in.line == nil {
		return
	}
	in.line.messages.clear()
	close(in.line.ended)
	in.line = nil
	in.window = 0
	for _, waits := range in.waiting {
		waits.receipt <- Receipt{Status: ReceiptUnavailable, RetryAfter: noNodeRetry}
	}
	clear(in.waiting)
	// What was stored is worked on.
	for seq := range in.replies {
		in.tell(seq, Reply{Status: ReplyPending})
	}
}

// await makes the channel of a result that is to come. The caller holds the lock.
func (in *intake) await(seq uint64, until time.Time) <-chan Reply {
	reply := make(chan Reply, 1)
	left := time.Until(until)
	if left <= 0 || len(in.replies) >= repliesMax {
		reply <- Reply{Status: ReplyPending}
		return reply
	}
	timer := time.AfterFunc(left, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.tell(seq, Reply{Status: ReplyPending})
	})
	in.replies[seq] = replyWaiter{reply: reply, timer: timer}
	return reply
}

// tell gives a result to whoever waits for it. The caller holds the lock.
func (in *intake) tell(seq uint64, reply Reply) {
	if waits, ok := in.replies[seq]; ok {
		delete(in.replies, seq)
		waits.timer.Stop()
		waits.reply <- reply
	}
}

func (in *intake) acknowledge(l *line, batch *pb.AckBatch) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.line != l {
		return
	}
	for _, ack := range batch.GetAcks() {
		if waits, ok := in.waiting[ack.GetSeq()]; ok {
			delete(in.waiting, ack.GetSeq())
			receipt := toReceipt(ack)
			if receipt.Status == ReceiptStored && !waits.replyUntil.IsZero() {
				receipt.Reply = in.await(ack.GetSeq(), waits.replyUntil)
			}
			waits.receipt <- receipt
		}
	}
	for _, reply := range batch.GetReplies() {
		in.tell(reply.GetSeq(), toReply(reply))
	}
	if credit := int(batch.GetCredit()); credit > 0 {
		in.window = len(in.waiting) + credit
	}
	close(in.roomier)
	in.roomier = make(chan struct{})
}

func toReceipt(ack *pb.Ack) Receipt {
	receipt := Receipt{MessageID: ack.GetMessageId(), RetryAfter: time.Duration(ack.GetRetryAfterMs()) * time.Millisecond}
	switch ack.GetStatus() {
	case pb.AckStatus_ACK_STATUS_STORED:
		receipt.Status = ReceiptStored
	case pb.AckStatus_ACK_STATUS_EXHAUSTED:
		receipt.Status = ReceiptExhausted
	case pb.AckStatus_ACK_STATUS_TOO_LARGE:
		receipt.Status = ReceiptTooLarge
	case pb.AckStatus_ACK_STATUS_NOT_FOUND:
		receipt.Status = ReceiptNotFound
	default:
		// Also a word of a newer node that we do not know: the sender comes again, nothing is lost.
		receipt.Status = ReceiptUnavailable
	}
	return receipt
}

func toReply(wire *pb.Reply) Reply {
	reply := Reply{
		Payload:     wire.GetPayload(),
		ContentType: wire.GetContentType(),
		PeerStatus:  wire.GetPeerStatus(),
		Code:        wire.GetCode(),
		Reason:      wire.GetReason(),
	}
	switch wire.GetStatus() {
	case pb.ReplyStatus_REPLY_STATUS_DONE:
		reply.Status = ReplyDone
	case pb.ReplyStatus_REPLY_STATUS_FILTERED:
		reply.Status = ReplyFiltered
	case pb.ReplyStatus_REPLY_STATUS_FAILED:
		reply.Status = ReplyFailed
	case pb.ReplyStatus_REPLY_STATUS_TOO_LARGE:
		reply.Status = ReplyTooLarge
	default:
		// Also a word of a newer node that we do not know.
		reply.Status = ReplyPending
	}
	return reply
}

func toWire(message Message) *pb.Message {
	at := message.ReceivedAt
	if at.IsZero() {
		at = time.Now()
	}
	wire := &pb.Message{
		ConnectionId: message.ConnectionID,
		Traceparent:  message.Traceparent,
		Tracestate:   message.Tracestate,
		ReceivedAtUs: at.UnixMicro(),
		Payload:      message.Payload,
		ContentType:  message.ContentType,
	}
	for _, header := range message.Headers {
		wire.Headers = append(wire.Headers, &pb.Header{Name: header.Name, Value: header.Value})
	}
	return wire
}
