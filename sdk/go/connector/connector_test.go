package connector

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

// trial is a connector of both roles that does what its messages and settings say.
type trial struct {
	intake  Intake
	release chan struct{}
	applied [][]Connection
}

func (*trial) Describe() Description {
	return Description{Name: "trial", Version: "0.0.1", SourceSettings: json.RawMessage(`{}`)}
}

func (*trial) Validate(_ context.Context, connection Connection) []FieldError {
	if string(connection.Settings) == `"panic"` {
		panic("the settings said so")
	}
	return []FieldError{{Path: "/a", Message: "Not an a."}}
}

func (c *trial) Configure(_ context.Context, connections []Connection) []ConnectionErrors {
	c.applied = append(c.applied, connections)
	return nil
}

func (c *trial) Receive(_ context.Context, intake Intake) error {
	c.intake = intake
	return nil
}

func (c *trial) Send(_ context.Context, delivery Delivery) Result {
	switch string(delivery.Payload) {
	case "panic":
		panic("the message said so")
	case "wait":
		<-c.release
	}
	return Result{Status: ResultOK, PeerAnswer: []byte(strings.Repeat("x", 2000)), Duration: time.Millisecond}
}

// start serves a connector on a socket of its own and connects to it.
func start(t *testing.T) (*trial, pb.ConnectorClient) {
	t.Helper()
	c := &trial{release: make(chan struct{})}
	s, err := newService(c, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := receive(t.Context(), c, s.intake); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(s, nil)
	pb.RegisterConnectorServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return c, pb.NewConnectorClient(connection)
}

func receiveStream(t *testing.T, client pb.ConnectorClient, credit uint32) pb.Connector_ReceiveClient {
	t.Helper()
	stream, err := client.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.AckBatch{Credit: credit}); err != nil {
		t.Fatal(err)
	}
	return stream
}

func submit(t *testing.T, c *trial, text string) <-chan Receipt {
	receipt := make(chan Receipt, 1)
	go func() { receipt <- c.intake.Submit(t.Context(), Message{ConnectionID: "p/in", Payload: []byte(text)}) }()
	return receipt
}

func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func nextMessages(t *testing.T, stream pb.Connector_ReceiveClient) []*pb.Message {
	t.Helper()
	batch, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return batch.GetMessages()
}

func TestAMessageGetsThePlatformsWord(t *testing.T) {
	c, client := start(t)
	stream := receiveStream(t, client, 10)
	receipt := submit(t, c, "hello")
	message := nextMessages(t, stream)[0]
	if message.GetConnectionId() != "p/in" || string(message.GetPayload()) != "hello" || message.GetReceivedAtUs() == 0 {
		t.Fatalf("another message came: %v", message)
	}
	ack := &pb.Ack{Seq: message.GetSeq(), Status: pb.AckStatus_ACK_STATUS_STORED, MessageId: "msg_1"}
	if err := stream.Send(&pb.AckBatch{Acks: []*pb.Ack{ack, ack}}); err != nil {
		t.Fatal(err)
	}
	if word := await(t, receipt); word.Status != ReceiptStored || word.MessageID != "msg_1" {
		t.Fatalf("another word came: %+v", word)
	}
}

func TestAMessageBeyondTheCreditWaitsForIt(t *testing.T) {
	c, client := start(t)
	stream := receiveStream(t, client, 1)
	submit(t, c, "first")
	first := nextMessages(t, stream)[0]
	second := submit(t, c, "second")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if word := c.intake.Submit(ctx, Message{}); word.Status != ReceiptUnavailable {
		t.Fatalf("a message without room got %+v", word)
	}
	acks := []*pb.Ack{{Seq: first.GetSeq(), Status: pb.AckStatus_ACK_STATUS_EXHAUSTED}}
	if err := stream.Send(&pb.AckBatch{Acks: acks}); err != nil {
		t.Fatal(err)
	}
	message := nextMessages(t, stream)[0]
	if string(message.GetPayload()) != "second" {
		t.Fatalf("another message came: %v", message)
	}
	acks = []*pb.Ack{{Seq: message.GetSeq(), Status: pb.AckStatus(99)}}
	if err := stream.Send(&pb.AckBatch{Acks: acks}); err != nil {
		t.Fatal(err)
	}
	if word := await(t, second); word.Status != ReceiptUnavailable {
		t.Fatalf("a word that we do not know became %+v", word)
	}
}

func TestASecondStreamTakesThePlaceOfTheFirst(t *testing.T) {
	c, client := start(t)
	first := receiveStream(t, client, 10)
	receipt := submit(t, c, "old")
	nextMessages(t, first)
	second := receiveStream(t, client, 10)
	if word := await(t, receipt); word.Status != ReceiptUnavailable || word.RetryAfter == 0 {
		t.Fatalf("the message of the lost stream got %+v", word)
	}
	if _, err := first.Recv(); err == nil {
		t.Fatal("the first stream goes on")
	}
	submit(t, c, "new")
	if message := nextMessages(t, second)[0]; string(message.GetPayload()) != "new" {
		t.Fatalf("another message came: %v", message)
	}
}

func TestEveryMessageGetsOneResultAlsoAfterTheLastWasSent(t *testing.T) {
	c, client := start(t)
	stream, err := client.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages := []*pb.Message{{Seq: 1, Payload: []byte("fine")}, {Seq: 2, Payload: []byte("panic")}, {Seq: 3, Payload: []byte("wait")}}
	if err := stream.Send(&pb.MessageBatch{Messages: messages}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	results := map[uint64]*pb.SendResult{}
	for len(results) < 2 {
		batch, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range batch.GetResults() {
			results[result.GetSeq()] = result
		}
	}
	if fine := results[1]; fine.GetStatus() != pb.SendStatus_SEND_STATUS_OK || len(fine.GetPeerAnswer()) != 1024 || fine.GetDurationUs() != 1000 {
		t.Fatalf("another result came: %v", fine)
	}
	fault := results[2]
	if fault.GetStatus() != pb.SendStatus_SEND_STATUS_RETRYABLE || fault.GetErrorSource() != pb.ErrorSource_ERROR_SOURCE_PLUGIN || fault.GetCode() != "connector_fault" {
		t.Fatalf("another result came: %v", fault)
	}
	close(c.release)
	if batch, err := stream.Recv(); err != nil || batch.GetResults()[0].GetSeq() != 3 {
		t.Fatalf("the last result did not come: %v %v", batch, err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Fatal("the stream goes on")
	}
}

func TestDrainWaitsForDeliveriesAndNotForEver(t *testing.T) {
	c, client := start(t)
	stream, err := client.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages := []*pb.Message{{Seq: 1, Payload: []byte("fine")}, {Seq: 2, Payload: []byte("wait")}}
	if err := stream.Send(&pb.MessageBatch{Messages: messages}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Drain(ctx, &pb.DrainRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Fatalf("it did not wait: %v", err)
	}
	close(c.release)
	if _, err := client.Drain(t.Context(), &pb.DrainRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestConfigure(t *testing.T) {
	c, client := start(t)
	request := &pb.ConfigureRequest{Generation: 2, Connections: []*pb.Connection{
		{ConnectionId: "good", Role: pb.Role_ROLE_SOURCE, Settings: `{"a":1}`},
		{ConnectionId: "text", Role: pb.Role_ROLE_DESTINATION, Settings: `{`},
		{ConnectionId: "role", Settings: `{}`},
	}}
	answer, err := client.Configure(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if rows := answer.GetErrors(); len(rows) != 2 || rows[0].GetConnectionId() != "text" || rows[1].GetConnectionId() != "role" {
		t.Fatalf("other connections are refused: %v", rows)
	}
	if set := c.applied[0]; len(set) != 1 || set[0].ID != "good" || set[0].Role != RoleSource || string(set[0].Settings) != `{"a":1}` {
		t.Fatalf("another set is applied: %+v", set)
	}
	request.Generation = 1
	if _, err := client.Configure(t.Context(), request); status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("an older generation is not refused: %v", err)
	}
}

func TestAPanicInACallIsAnErrorAndNotTheEnd(t *testing.T) {
	_, client := start(t)
	broken := &pb.Connection{Role: pb.Role_ROLE_SOURCE, Settings: `"panic"`}
	if _, err := client.Validate(t.Context(), &pb.ValidateRequest{Connection: broken}); status.Code(err) != codes.Internal {
		t.Fatalf("another error came: %v", err)
	}
	broken.Settings = `{}`
	answer, err := client.Validate(t.Context(), &pb.ValidateRequest{Connection: broken})
	if err != nil || answer.GetErrors()[0].GetPath() != "/a" {
		t.Fatalf("another answer came: %v %v", answer, err)
	}
}

func TestAConnectorWithoutARoleIsRefused(t *testing.T) {
	if _, err := newService(struct{ Connector }{&trial{}}, hclog.NewNullLogger()); err == nil {
		t.Fatal("it is accepted")
	}
}
