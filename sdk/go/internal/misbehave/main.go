// Command misbehave is a connector for tests of hosts that misbehaves in the manner that MISBEHAVE names, on go-plugin's own library.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"vrsky/sdk/go/connector"
	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

const (
	mib = 1 << 20
	// Far beyond what a node gives out.
	unknown = 1_000_000
	death   = 9
)

var (
	manner = os.Getenv("MISBEHAVE")
	log    = connector.NewLog("misbehaving")
	// go-plugin later puts a pipe in the place of os.Stderr.
	stderr = os.Stderr
)

// firstWords are manners in which a handshake is not what it should be.
var firstWords = map[string]func(){
	"dies-before-its-handshake": func() {
		fmt.Fprintln(os.Stderr, "cannot open the door")
		os.Exit(3)
	},
	"dies-in-the-middle-of-its-handshake": func() {
		fmt.Print("1|1|unix|")
		os.Exit(3)
	},
	// go-plugin cannot listen, says so in its log, and lets the process end as if all were well.
	"ends-with-status-0": func() {
		os.Setenv("PLUGIN_UNIX_SOCKET_DIR", "/nonexistent")
		serve(connector.HandshakeConfig)
	},
	"of-another-application": func() {
		serve(plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "OTHER_PLUGIN", MagicCookieValue: "other"})
	},
	"listens-on-tcp": serveTCP,
}

func main() {
	if begin, ok := firstWords[manner]; ok {
		begin()
		return
	}
	switch manner {
	case "floods-its-log":
		go flood()
	case "escapes":
		escape()
	}
	serve(connector.HandshakeConfig)
	if manner == "ignores-shutdown" {
		select {}
	}
}

func serve(handshake plugin.HandshakeConfig) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{connector.PluginName: &misbehaving{}},
		GRPCServer:      newServer,
	})
}

func newServer(options []grpc.ServerOption) *grpc.Server {
	// A real bound of the sender would hide what the receiver's is for.
	return grpc.NewServer(append(options, grpc.MaxSendMsgSize(200*mib))...)
}

// misbehaving does well in all but its manner.
type misbehaving struct {
	plugin.NetRPCUnsupportedPlugin
	pb.UnimplementedConnectorServer
}

func (m *misbehaving) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	pb.RegisterConnectorServer(server, m)
	return nil
}

func (m *misbehaving) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this program is no host")
}

func (m *misbehaving) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{Name: "misbehaving", Version: "1.0.0", Roles: []pb.Role{pb.Role_ROLE_SOURCE, pb.Role_ROLE_DESTINATION}}, nil
}

func (m *misbehaving) Configure(context.Context, *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	return &pb.ConfigureResponse{}, nil
}

func (m *misbehaving) Drain(context.Context, *pb.DrainRequest) (*pb.DrainResponse, error) {
	if manner == "ignores-drain" {
		select {}
	}
	return &pb.DrainResponse{}, nil
}

func (m *misbehaving) Receive(stream pb.Connector_ReceiveServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	batch := &pb.MessageBatch{}
	switch manner {
	case "exceeds-its-credit":
		for i := range 50 {
			batch.Messages = append(batch.Messages, &pb.Message{Seq: uint64(i + 1), ConnectionId: "p/in"})
		}
	case "sends-100-megabytes-at-once":
		batch.Messages = append(batch.Messages, &pb.Message{Seq: 1, ConnectionId: "p/in", Payload: make([]byte, 100*mib)})
	}
	if len(batch.Messages) > 0 {
		if err := stream.Send(batch); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

func (m *misbehaving) Send(stream pb.Connector_SendServer) error {
	for {
		batch, err := stream.Recv()
		if err != nil {
			return err
		}
		results := &pb.SendResultBatch{}
		for i, message := range batch.GetMessages() {
			results.Results = append(results.Results, misbehave(stream, results, i, message.GetSeq())...)
		}
		if err := stream.Send(results); err != nil {
			return err
		}
	}
}

// misbehave answers the results of one message, the i-th of its batch; results are those before it.
func misbehave(stream pb.Connector_SendServer, results *pb.SendResultBatch, i int, seq uint64) []*pb.SendResult {
	switch manner {
	case "freezes-in-send":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {} // other threads may run on for a moment
	case "gives-no-results":
		return nil
	case "answers-twice":
		return []*pb.SendResult{delivered(seq), delivered(seq)}
	case "answers-for-unknown-messages":
		return []*pb.SendResult{delivered(seq), delivered(seq + unknown)}
	case "dies-in-the-middle-of-a-batch":
		if i == 5 {
			_ = stream.Send(results)
			os.Exit(death)
		}
	case "panics":
		go func() { panic("the message said so") }()
		select {}
	}
	return []*pb.SendResult{delivered(seq)}
}

func delivered(seq uint64) *pb.SendResult {
	return &pb.SendResult{Seq: seq, Status: pb.SendStatus_SEND_STATUS_OK, PeerStatus: 200}
}

// flood writes as fast as the host takes it.
func flood() {
	lines := bytes.Repeat([]byte(`{"@level":"info","@message":"`+string(bytes.Repeat([]byte("x"), 90))+"\"}\n"), 10_000)
	for {
		if _, err := stderr.Write(lines); err != nil {
			return
		}
	}
}

// escape starts a child in a session of its own that keeps our output open and outlives us.
func escape() {
	child := exec.Command("/bin/sleep", "1000")
	child.Stderr = stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		log.Error("cannot escape", "error", err)
		return
	}
	log.Info("escaped", "pids", []int{child.Process.Pid})
}
