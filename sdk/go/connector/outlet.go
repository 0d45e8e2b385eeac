package connector

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

// What is kept of an answer that does not go on.
const peerAnswerStartBytes = 1024

// outlet is the destination side's stream: messages in, exactly one result for each out.
type outlet struct {
	destination Destination
	log         hclog.Logger

	mu      sync.Mutex
	running int
	// idle is closed, and made anew, when no delivery is under way.
	idle chan struct{}
	// answerBytesMax says of which connections a result carries how much of the answer whole.
	answerBytesMax map[string]int
}

func newOutlet(destination Destination, log hclog.Logger) *outlet {
	return &outlet{destination: destination, log: log, idle: make(chan struct{})}
}

// serve runs the node's stream to its end. A node that sends no more still gets the results of what it sent.
func (o *outlet) serve(stream pb.Connector_SendServer) error {
	results := newQueue[*pb.SendResult]()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var deliveries sync.WaitGroup
		defer deliveries.Wait()
		for {
			batch, err := stream.Recv()
			if err != nil {
				return // the stream is at its end, or this handler is
			}
			for _, message := range batch.GetMessages() {
				deliveries.Add(1)
				o.begin()
				go func() {
					defer deliveries.Done()
					defer o.end()
					result := o.deliver(stream.Context(), toDelivery(message))
					results.add(toSendResult(message.GetSeq(), result, o.answerBytesMaxOf(message.GetConnectionId())))
				}()
			}
		}
	}()
	for {
		frame := results.next(ended)
		if frame == nil {
			return nil
		}
		if err := stream.Send(&pb.SendResultBatch{Results: frame}); err != nil {
			return err
		}
	}
}

// deliver never panics: one message that the connector cannot cope with must not end all the others.
func (o *outlet) deliver(ctx context.Context, delivery Delivery) (result Result) {
	defer func() {
		if fault := recover(); fault != nil {
			o.log.Error("a delivery failed by a fault of the connector", "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			result = Result{
				Status: ResultRetryable,
				Source: ErrorPlugin,
				Code:   "connector_fault",
				Reason: "The connector failed while it delivered this message.",
			}
		}
	}()
	return o.destination.Send(ctx, delivery)
}

func (o *outlet) setAnswerBytesMax(byConnectionID map[string]int) {
	o.mu.Lock()
	o.answerBytesMax = byConnectionID
	o.mu.Unlock()
}

func (o *outlet) answerBytesMaxOf(connectionID string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answerBytesMax[connectionID]
}

func (o *outlet) begin() {
	o.mu.Lock()
	o.running++
	o.mu.Unlock()
}

func (o *outlet) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running--
	if o.running == 0 {
		close(o.idle)
		o.idle = make(chan struct{})
	}
}

// wait returns when no delivery is under way, or ctx ends.
func (o *outlet) wait(ctx context.Context) {
	o.mu.Lock()
	running, idle := o.running, o.idle
	o.mu.Unlock()
	if running == 0 {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

func toDelivery(message *pb.Message) Delivery {
	delivery := Delivery{
		ConnectionID: message.GetConnectionId(),
		CustomerID:   message.GetCustomerId(),
		PipelineID:   message.GetPipelineId(),
		MessageID:    message.GetMessageId(),
		Traceparent:  message.GetTraceparent(),
		Tracestate:   message.GetTracestate(),
		Attempt:      int(message.GetAttempt()),
		Payload:      message.GetPayload(),
		ContentType:  message.GetContentType(),
	}
	for _, header := range message.GetHeaders() {
		delivery.Headers = append(delivery.Headers, Header{Name: header.GetName(), Value: header.GetValue()})
	}
	return delivery
}

var sendStatuses = map[ResultStatus]pb.SendStatus{
	ResultOK:          pb.SendStatus_SEND_STATUS_OK,
	ResultRetryable:   pb.SendStatus_SEND_STATUS_RETRYABLE,
	ResultPermanent:   pb.SendStatus_SEND_STATUS_PERMANENT,
	ResultRateLimited: pb.SendStatus_SEND_STATUS_RATE_LIMITED,
}

func toSendResult(seq uint64, result Result, answerBytesMax int) *pb.SendResult {
	source := pb.ErrorSource_ERROR_SOURCE_DOWNSTREAM
	if result.Source == ErrorPlugin {
		source = pb.ErrorSource_ERROR_SOURCE_PLUGIN
	}
	answer := result.PeerAnswer
	isWhole := len(answer) <= answerBytesMax && !result.PeerAnswerCut
	if !isWhole {
		answer = answer[:min(len(answer), peerAnswerStartBytes)]
	}
	wire := &pb.SendResult{
		Seq:          seq,
		Status:       sendStatuses[result.Status],
		ErrorSource:  source,
		Reason:       result.Reason,
		Code:         result.Code,
		RetryAfterMs: uint32(result.RetryAfter.Milliseconds()),
		PeerStatus:   result.PeerStatus,
		PeerAnswer:   answer,
		DurationUs:   uint32(result.Duration.Microseconds()),
		// A receiver may name anything, and a text that is not UTF-8 cannot be sent.
		PeerAnswerType: strings.ToValidUTF8(result.PeerAnswerType, ""),
		PeerAnswerCut:  answerBytesMax > 0 && !isWhole,
	}
	if !result.StartedAt.IsZero() {
		wire.StartedAtUs = result.StartedAt.UnixMicro()
	}
	return wire
}
