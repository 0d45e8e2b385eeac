package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"slices"
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
	return Description{Name: "trial", Version: "0.0.1", Title: "Trial", Description: "For tests.", SourceSettings: json.RawMessage(`{}`)}
}

func (*trial) Validate(_ context.Context, connection Connection) []FieldError {
	if string(connection.Settings) == `"panic"` {
		panic("the settings said so")
	}
	if string(connection.Settings) == `"wrong"` {
		return []FieldError{{Path: "/a", Message: "Not an a."}}
	}
	return nil
}

func (*trial) Test(_ context.Context, connection Connection) []Check {
	return []Check{
		RunCheck("Look at "+connection.ID, func() (string, error) { return "It is there.", nil }),
		RunCheck("Sign in", func() (string, error) { return "", errors.New("The password is wrong.") }),
	}
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
	return Result{Status: ResultOK, PeerAnswer: []byte(strings.Repeat("x", 2000)), PeerAnswerType: "text/plain", Duration: time.Millisecond}
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

// ask hands over a message whose sender waits for the result, has it stored, and gives its number and its reply.
func ask(t *testing.T, c *trial, stream pb.Connector_ReceiveClient, within time.Duration) (uint64, <-chan Reply) {
	t.Helper()
	receipt := make(chan Receipt, 1)
	go func() { receipt <- c.intake.Submit(t.Context(), Message{ConnectionID: "p/in", ReplyWithin: within}) }()
	message := nextMessages(t, stream)[0]
	acks := []*pb.Ack{{Seq: message.GetSeq(), Status: pb.AckStatus_ACK_STATUS_STORED, MessageId: "msg_1"}}
	if err := stream.Send(&pb.AckBatch{Acks: acks}); err != nil {
		t.Fatal(err)
	}
	return message.GetSeq(), await(t, receipt).Reply
}

func TestASenderThatWaitsGetsItsResultOnce(t *testing.T) {
	c, client := start(t)
	stream := receiveStream(t, client, 10)
	seq, reply := ask(t, c, stream, time.Minute)
	result := &pb.Reply{Seq: seq, Status: pb.ReplyStatus_REPLY_STATUS_DONE, Payload: []byte("made"), ContentType: "text/plain", PeerStatus: 201}
	if err := stream.Send(&pb.AckBatch{Replies: []*pb.Reply{result, result}}); err != nil {
		t.Fatal(err)
	}
	if got := await(t, reply); got.Status != ReplyDone || string(got.Payload) != "made" || got.ContentType != "text/plain" || got.PeerStatus != 201 {
		t.Fatalf("another result came: %+v", got)
	}
	_, none := ask(t, c, stream, 0)
	if none != nil {
		t.Fatal("a sender that does not wait was promised a result")
	}
}

func TestASenderThatWaitsHearsThatItsResultIsPending(t *testing.T) {
	c, client := start(t)
	stream := receiveStream(t, client, 10)
	_, late := ask(t, c, stream, 20*time.Millisecond)
	if got := await(t, late); got.Status != ReplyPending {
		t.Fatalf("after its time it got %+v", got)
	}
	_, left := ask(t, c, stream, time.Minute)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := await(t, left); got.Status != ReplyPending {
		t.Fatalf("when its node went away it got %+v", got)
	}
}

func TestAConnectorThatCannotReplyIsNotAskedTo(t *testing.T) {
	_, client := start(t)
	connection := &pb.Connection{ConnectionId: "p/in", Role: pb.Role_ROLE_SOURCE, Settings: "{}", ReplyWithinMs: 1_000}
	response, err := client.Validate(t.Context(), &pb.ValidateRequest{Connection: connection})
	if err != nil {
		t.Fatal(err)
	}
	if len(response.GetErrors()) != 1 {
		t.Fatalf("it took a connection whose senders wait: %v", response)
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
		{ConnectionId: "wrong", Role: pb.Role_ROLE_SOURCE, Settings: `"wrong"`},
		{ConnectionId: "panic", Role: pb.Role_ROLE_SOURCE, Settings: `"panic"`},
		{ConnectionId: "secret", Role: pb.Role_ROLE_SOURCE, Settings: `{"key":{"$secret":"gone"}}`},
	}}
	answer, err := client.Configure(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, row := range answer.GetErrors() {
		refused = append(refused, row.GetConnectionId()+row.GetErrors()[0].GetPath())
	}
	if want := []string{"text", "role", "wrong/a", "panic", "secret/key"}; !slices.Equal(refused, want) {
		t.Fatalf("other connections are refused: %v", refused)
	}
	if set := c.applied[0]; len(set) != 1 || set[0].ID != "good" || set[0].Role != RoleSource || string(set[0].Settings) != `{"a":1}` {
		t.Fatalf("another set is applied: %+v", set)
	}
	request.Generation = 1
	_, err = client.Configure(t.Context(), request)
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "generation 1 is older than 2") {
		t.Fatalf("an older generation is not refused: %v", err)
	}
}

func TestAnAnswerThatGoesOnIsAsLongAsWasAskedForOrSaysThatItIsCut(t *testing.T) {
	_, client := start(t)
	settings := `{"a":1}`
	request := &pb.ConfigureRequest{Generation: 1, Connections: []*pb.Connection{
		{ConnectionId: "whole", Role: pb.Role_ROLE_DESTINATION, Settings: settings, AnswerBytesMax: 2000},
		{ConnectionId: "cut", Role: pb.Role_ROLE_DESTINATION, Settings: settings, AnswerBytesMax: 1999},
	}}
	if answer, err := client.Configure(t.Context(), request); err != nil || len(answer.GetErrors()) > 0 {
		t.Fatalf("it is refused: %v %v", answer, err)
	}
	stream, err := client.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.MessageBatch{Messages: []*pb.Message{{Seq: 1, ConnectionId: "whole"}, {Seq: 2, ConnectionId: "cut"}, {Seq: 3}}}); err != nil {
		t.Fatal(err)
	}
	lengths := map[uint64]int{}
	for len(lengths) < 3 {
		batch, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range batch.GetResults() {
			lengths[result.GetSeq()] = len(result.GetPeerAnswer())
			if result.GetPeerAnswerCut() != (result.GetSeq() == 2) || result.GetPeerAnswerType() != "text/plain" {
				t.Fatalf("another result: %v", result)
			}
		}
	}
	if lengths[1] != 2000 || lengths[2] != 1024 || lengths[3] != 1024 {
		t.Fatalf("the answers have other lengths: %v", lengths)
	}
}

func TestASecretReachesTheConnectionThatRefersToIt(t *testing.T) {
	c, client := start(t)
	secret := &pb.Secret{Name: "api", Hosts: []string{"a.test"}, Versions: []*pb.SecretVersion{{Version: 2, Value: []byte("new")}, {Version: 1, Value: []byte("old")}}}
	connection := &pb.Connection{ConnectionId: "p/in", Role: pb.Role_ROLE_SOURCE, CustomerId: "cus_1", Settings: `{"key":{"$secret":"api"}}`}
	connection.Secrets = []*pb.Secret{secret, {Name: "empty"}}
	answer, err := client.Configure(t.Context(), &pb.ConfigureRequest{Generation: 1, Connections: []*pb.Connection{connection}})
	if err != nil || len(answer.GetErrors()) > 0 {
		t.Fatalf("it is refused: %v %v", answer, err)
	}
	applied := c.applied[0][0]
	given, ok := applied.Secret(SecretRef{Name: "api"})
	if !ok || given.Newest().Text() != "new" || given.Versions()[1].Number() != 1 || given.Hosts()[0] != "a.test" || applied.CustomerID != "cus_1" {
		t.Fatalf("another secret came: %v", applied)
	}
	if _, ok := applied.Secret(SecretRef{Name: "empty"}); ok {
		t.Fatal("a secret without a version is one")
	}
}

func TestAProbeAnswersWhatWasTriedAndOnlyWhenAskedFor(t *testing.T) {
	_, client := start(t)
	connection := &pb.Connection{ConnectionId: "p/in", Role: pb.Role_ROLE_SOURCE, Settings: `{}`}
	answer, err := client.Validate(t.Context(), &pb.ValidateRequest{Connection: connection})
	if err != nil || len(answer.GetChecks()) > 0 {
		t.Fatalf("something was tried: %v %v", answer, err)
	}
	answer, err = client.Validate(t.Context(), &pb.ValidateRequest{Connection: connection, Probe: true})
	if err != nil || len(answer.GetChecks()) != 2 {
		t.Fatalf("other checks came: %v %v", answer, err)
	}
	if first := answer.GetChecks()[0]; first.GetName() != "Look at p/in" || !first.GetPassed() || first.GetDetail() != "It is there." {
		t.Fatalf("another check came: %v", first)
	}
	if second := answer.GetChecks()[1]; second.GetPassed() || second.GetDetail() != "The password is wrong." {
		t.Fatalf("another check came: %v", second)
	}
	for _, settings := range []string{`"wrong"`, `{"key":{"$secret":"gone"}}`} {
		connection.Settings = settings
		answer, err = client.Validate(t.Context(), &pb.ValidateRequest{Connection: connection, Probe: true})
		if err != nil || len(answer.GetErrors()) != 1 || len(answer.GetChecks()) > 0 {
			t.Fatalf("settings that are wrong were tried: %v %v", answer, err)
		}
	}
}

func TestAPanicInACallIsAnErrorAndNotTheEnd(t *testing.T) {
	_, client := start(t)
	broken := &pb.Connection{Role: pb.Role_ROLE_SOURCE, Settings: `"panic"`}
	if _, err := client.Validate(t.Context(), &pb.ValidateRequest{Connection: broken}); status.Code(err) != codes.Internal {
		t.Fatalf("another error came: %v", err)
	}
	broken.Settings = `"wrong"`
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
