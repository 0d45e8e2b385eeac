// Command testhost is a host for tests of plugins, on go-plugin's own client: it starts a plugin, does what its one argument (a
// plan, in JSON) says, and prints one line of JSON about it. The plugin's log goes to stderr.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"vrsky/sdk/go/connector"
	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

const (
	startTimeout = 30 * time.Second
	callTimeout  = 30 * time.Second
	// A plugin that has the time limit of go-plugin's Kill used up is killed, and did not end by itself.
	shutdownLimit = 2 * time.Second
)

type plan struct {
	Command []string `json:"command"`
	Env     []string `json:"env"`
	// Versions are those the host knows; one that the SDK knows, when left out.
	Versions []int `json:"versions"`
	// Multiplex asks for the broker to share the plugin's one connection.
	Multiplex bool `json:"multiplex"`
	// PingOnly says how health is, and does nothing else.
	PingOnly bool `json:"pingOnly"`
	// Hold prints the plugin's pid and waits to be killed.
	Hold bool `json:"hold"`
	// AwaitPrint waits until the plugin has printed this, and does nothing else.
	AwaitPrint  string       `json:"awaitPrint"`
	Connections []connection `json:"connections"`
	// Validate are connections to validate only.
	Validate []connection `json:"validate"`
	Send     []message    `json:"send"`
	// Receive is how many messages to wait for; each is acknowledged as stored.
	Receive int `json:"receive"`
}

type connection struct {
	ID       string          `json:"id"`
	Role     string          `json:"role"`
	Settings json.RawMessage `json:"settings"`
}

type message struct {
	ConnectionID string `json:"connectionId"`
	Payload      string `json:"payload"`
}

type fieldError struct {
	Connection string `json:"connection"`
	Path       string `json:"path"`
	Message    string `json:"message"`
}

type result struct {
	Seq        uint64 `json:"seq"`
	Status     string `json:"status"`
	Code       string `json:"code"`
	PeerStatus uint32 `json:"peerStatus"`
}

type report struct {
	Protocol int          `json:"protocol"`
	Name     string       `json:"name"`
	Version  string       `json:"version"`
	Roles    []string     `json:"roles"`
	Invalid  []fieldError `json:"invalid"`
	Refused  []fieldError `json:"refused"`
	Results  []result     `json:"results"`
	Received []message    `json:"received"`
	Prints   string       `json:"prints"`
	// Health is what went wrong with it.
	Health string `json:"health"`
	// Ended is whether the plugin went by itself when it was asked to.
	Ended bool `json:"ended"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var p plan
	if err := json.Unmarshal([]byte(os.Args[1]), &p); err != nil {
		return fmt.Errorf("the plan: %w", err)
	}
	prints := &safeBuilder{}
	command := exec.Command(p.Command[0], p.Command[1:]...)
	command.Env = p.Env
	plugins := plugin.PluginSet{connector.PluginName: &connector.Plugin{}}
	config := &plugin.ClientConfig{
		HandshakeConfig:     connector.HandshakeConfig,
		Plugins:             plugins,
		Cmd:                 command,
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:            true,
		SkipHostEnv:         true,
		StartTimeout:        startTimeout,
		SyncStdout:          prints,
		GRPCBrokerMultiplex: p.Multiplex,
		Logger:              hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Info}),
	}
	if len(p.Versions) > 0 {
		config.Plugins, config.VersionedPlugins = nil, map[int]plugin.PluginSet{}
		for _, version := range p.Versions {
			config.VersionedPlugins[version] = plugins
		}
	}
	client := plugin.NewClient(config)
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	r := report{Protocol: client.NegotiatedVersion()}
	if err := protocol.Ping(); err != nil {
		r.Health = err.Error()
	}
	switch {
	case p.PingOnly:
	case r.Health != "":
		return fmt.Errorf("health: %s", r.Health)
	case p.Hold:
		fmt.Println(client.ID())
		select {}
	case p.AwaitPrint != "":
		err = prints.await(p.AwaitPrint)
	default:
		err = talk(protocol, p, &r)
	}
	if err != nil {
		return err
	}
	asked := time.Now()
	client.Kill()
	r.Ended = client.Exited() && time.Since(asked) < shutdownLimit
	r.Prints = prints.String()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// talk makes the calls of the contract in the order of a node.
func talk(protocol plugin.ClientProtocol, p plan, r *report) error {
	raw, err := protocol.Dispense(connector.PluginName)
	if err != nil {
		return fmt.Errorf("dispense: %w", err)
	}
	client := raw.(pb.ConnectorClient)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()

	description, err := client.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	r.Name, r.Version = description.GetName(), description.GetVersion()
	for _, role := range description.GetRoles() {
		r.Roles = append(r.Roles, role.String())
	}
	for _, c := range p.Validate {
		answer, err := client.Validate(ctx, &pb.ValidateRequest{Connection: toWire(c)})
		if err != nil {
			return fmt.Errorf("validate: %w", err)
		}
		r.Invalid = append(r.Invalid, toFieldErrors(c.ID, answer.GetErrors())...)
	}
	configuration := &pb.ConfigureRequest{Generation: 1}
	for _, c := range p.Connections {
		configuration.Connections = append(configuration.Connections, toWire(c))
	}
	answer, err := client.Configure(ctx, configuration)
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	for _, row := range answer.GetErrors() {
		r.Refused = append(r.Refused, toFieldErrors(row.GetConnectionId(), row.GetErrors())...)
	}
	if r.Results, err = send(ctx, client, p.Send); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if r.Received, err = receive(ctx, client, p.Receive); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if _, err := client.Drain(ctx, &pb.DrainRequest{}); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// send sends every message in a frame of its own and waits for one result each.
func send(ctx context.Context, client pb.ConnectorClient, messages []message) ([]result, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Send(ctx)
	if err != nil {
		return nil, err
	}
	for i, m := range messages {
		wire := &pb.Message{
			Seq:          uint64(i + 1),
			ConnectionId: m.ConnectionID,
			CustomerId:   "cus_go",
			MessageId:    fmt.Sprintf("msg_%d", i+1),
			Attempt:      1,
			Payload:      []byte(m.Payload),
		}
		if err := stream.Send(&pb.MessageBatch{Messages: []*pb.Message{wire}}); err != nil {
			return nil, err
		}
	}
	var results []result
	for len(results) < len(messages) {
		batch, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		for _, one := range batch.GetResults() {
			results = append(results, result{Seq: one.GetSeq(), Status: one.GetStatus().String(), Code: one.GetCode(), PeerStatus: one.GetPeerStatus()})
		}
	}
	return results, nil
}

// receive takes count messages and says of each that it is stored.
func receive(ctx context.Context, client pb.ConnectorClient, count int) ([]message, error) {
	if count == 0 {
		return nil, nil
	}
	stream, err := client.Receive(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&pb.AckBatch{Credit: uint32(count)}); err != nil {
		return nil, err
	}
	var received []message
	for len(received) < count {
		batch, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		acks := &pb.AckBatch{}
		for _, m := range batch.GetMessages() {
			received = append(received, message{ConnectionID: m.GetConnectionId(), Payload: string(m.GetPayload())})
			id := fmt.Sprintf("msg_go_%d", len(received))
			acks.Acks = append(acks.Acks, &pb.Ack{Seq: m.GetSeq(), Status: pb.AckStatus_ACK_STATUS_STORED, MessageId: id})
		}
		if err := stream.Send(acks); err != nil {
			return nil, err
		}
	}
	return received, nil
}

func toWire(c connection) *pb.Connection {
	role := pb.Role_ROLE_DESTINATION
	if c.Role == "source" {
		role = pb.Role_ROLE_SOURCE
	}
	return &pb.Connection{ConnectionId: c.ID, Role: role, Settings: string(c.Settings)}
}

func toFieldErrors(connectionID string, problems []*pb.FieldError) []fieldError {
	var rows []fieldError
	for _, problem := range problems {
		rows = append(rows, fieldError{Connection: connectionID, Path: problem.GetPath(), Message: problem.GetMessage()})
	}
	return rows
}

// safeBuilder keeps what a plugin prints.
type safeBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuilder) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *safeBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *safeBuilder) await(text string) error {
	deadline := time.Now().Add(callTimeout)
	for !strings.Contains(b.String(), text) {
		if time.Now().After(deadline) {
			return fmt.Errorf("it did not print %q", text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
