package connector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

// HandshakeConfig is how a host and a connector recognise each other, in any language. The cookie is no secret: it tells a person
// who starts a connector by hand what it is.
var HandshakeConfig = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "VRSKY_PLUGIN",
	MagicCookieValue: "vrsky.connector",
}

// PluginName is the name under which a connector is in the plugin sets of both sides.
const PluginName = "connector"

// MessageBytesMax bounds one gRPC message in both directions. Frames have 1 MiB and a little; a whole configuration may be larger.
const MessageBytesMax = 16 << 20

// How often a connector looks whether the host that started it is still there.
const parentCheck = 500 * time.Millisecond

// The process's own stderr: go-plugin later puts a pipe in the place of os.Stderr, and what is written there is text, not a log.
var stderr = os.Stderr

// Plugin joins a connector to go-plugin. A host needs it as it is; Serve is for connectors.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	service *service
}

// GRPCServer registers the connector's service; go-plugin calls it in the connector's process.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	if p.service == nil {
		return errors.New("a connector is run by connector.Serve")
	}
	pb.RegisterConnectorServer(server, p.service)
	return nil
}

// GRPCClient makes a ConnectorClient; go-plugin calls it in the host's process.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return pb.NewConnectorClient(connection), nil
}

// NewLog makes a logger that writes to the node's log, marked with name. Never log payloads or secrets.
func NewLog(name string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: name, Output: stderr, JSONFormat: true, Level: hclog.Trace})
}

// Serve runs a connector until its node says goodbye or is gone: call it in main, and return after it. What the program prints
// from then on reaches the node's log; before it, print nothing on stdout. Started by hand, it explains itself and exits with
// status 1, as it does when the connector cannot start.
func Serve(connector Connector) {
	if os.Getenv(HandshakeConfig.MagicCookieKey) != HandshakeConfig.MagicCookieValue {
		fmt.Fprintln(os.Stderr, "This program is a plugin of VRSky. It is started by a connection node, not by hand.")
		os.Exit(1)
	}
	log := NewLog(connector.Describe().Name)
	if err := serve(connector, log); err != nil {
		log.Error("the connector does not start", "error", err)
		os.Exit(1)
	}
}

func serve(connector Connector, log hclog.Logger) error {
	parent := os.Getppid()
	sayVersions(os.Getenv("PLUGIN_PROTOCOL_VERSIONS"), log)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	service, err := newService(connector, log)
	if err != nil {
		return err
	}
	if source, ok := connector.(Source); ok {
		if err := receive(ctx, source, service.intake); err != nil {
			return err
		}
	}
	listened := false
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: HandshakeConfig,
		Plugins:         plugin.PluginSet{PluginName: &Plugin{service: service}},
		Logger:          hclog.New(&hclog.LoggerOptions{Name: "go-plugin", Output: stderr, JSONFormat: true, Level: hclog.Info}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			listened = true
			server := newServer(service, options)
			go endWithParent(parent, server)
			return server
		},
	})
	if !listened {
		return errors.New("it cannot listen on a socket") // go-plugin has logged why, and would let the process end with status 0
	}
	return nil
}

// noCommonVersion is what a host looks for in the log of a connector whose version it does not know.
const noCommonVersion = "no version of the protocol is known to both sides"

// sayVersions logs our list when the host knows no version of it: the handshake line has room for one version only, and the host's
// refusal is to say what would fit.
func sayVersions(asked string, log hclog.Logger) {
	ours := strconv.FormatUint(uint64(HandshakeConfig.ProtocolVersion), 10)
	if asked != "" && !slices.Contains(strings.Split(asked, ","), ours) {
		log.Error(noCommonVersion, "versions", ours, "host_versions", asked)
	}
}

func newServer(service *service, options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(MessageBytesMax),
		grpc.MaxSendMsgSize(MessageBytesMax),
		grpc.ChainUnaryInterceptor(service.recovered),
	)...)
}

// receive lets a source begin. What it prints on stdout would be taken for the handshake, so it goes to stderr.
func receive(ctx context.Context, source Source, intake Intake) error {
	stdout := os.Stdout
	os.Stdout = os.Stderr
	defer func() { os.Stdout = stdout }()
	return source.Receive(ctx, intake)
}

// endWithParent ends the server when the host is gone: killed, it could not say goodbye, and the process gets another parent.
func endWithParent(parent int, server *grpc.Server) {
	for range time.Tick(parentCheck) {
		if os.Getppid() != parent {
			server.Stop()
			return
		}
	}
}
