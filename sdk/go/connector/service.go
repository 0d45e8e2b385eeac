package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

// For a caller of Drain that names no deadline.
const drainDefault = 10 * time.Second

// service answers the calls of the contract with what the author wrote.
type service struct {
	pb.UnimplementedConnectorServer
	connector Connector
	log       hclog.Logger
	// intake and outlet are nil for a role that the connector does not have.
	intake *intake
	outlet *outlet

	// configuring is held while a set is applied: two at the same time would leave a mixture.
	configuring sync.Mutex
	applied     uint64
}

func newService(connector Connector, log hclog.Logger) (*service, error) {
	s := &service{connector: connector, log: log}
	if _, ok := connector.(Source); ok {
		s.intake = newIntake()
	}
	if destination, ok := connector.(Destination); ok {
		s.outlet = newOutlet(destination, log)
	}
	if s.intake == nil && s.outlet == nil {
		return nil, errors.New("a connector must be a Source, a Destination or both")
	}
	return s, nil
}

func (s *service) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	description := s.connector.Describe()
	response := &pb.DescribeResponse{
		Name:                      description.Name,
		Version:                   description.Version,
		Title:                     description.Title,
		Description:               description.Description,
		SourceSettingsSchema:      string(description.SourceSettings),
		DestinationSettingsSchema: string(description.DestinationSettings),
		Replies:                   s.intake != nil && description.Replies,
	}
	if s.intake != nil {
		response.Roles = append(response.Roles, pb.Role_ROLE_SOURCE)
	}
	if s.outlet != nil {
		response.Roles = append(response.Roles, pb.Role_ROLE_DESTINATION)
	}
	return response, nil
}

func (s *service) Validate(ctx context.Context, request *pb.ValidateRequest) (*pb.ValidateResponse, error) {
	if request.GetConnection() == nil {
		return nil, status.Error(codes.InvalidArgument, "no connection")
	}
	connection, problems := s.parse(request.GetConnection(), request.GetProbe())
	if problems == nil {
		problems = s.connector.Validate(ctx, connection)
	}
	if len(problems) > 0 || !request.GetProbe() {
		return &pb.ValidateResponse{Errors: toFieldErrors(problems)}, nil
	}
	response := &pb.ValidateResponse{}
	if tester, ok := s.connector.(Tester); ok {
		for _, check := range tester.Test(ctx, connection) {
			response.Checks = append(response.Checks, &pb.Check{
				Name:       check.Name,
				Passed:     check.Passed,
				Detail:     check.Detail,
				DurationUs: uint32(min(check.Duration.Microseconds(), math.MaxUint32)),
			})
		}
	}
	return response, nil
}

func (s *service) Configure(ctx context.Context, request *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	if request.GetGeneration() < s.applied {
		return nil, status.Errorf(codes.FailedPrecondition, "generation %d is older than %d, which is applied", request.GetGeneration(), s.applied)
	}
	var refused []ConnectionErrors
	var usable []Connection
	for _, wire := range request.GetConnections() {
		connection, problems := s.check(ctx, wire)
		if len(problems) > 0 {
			refused = append(refused, ConnectionErrors{ConnectionID: connection.ID, Errors: problems})
		} else {
			usable = append(usable, connection)
		}
	}
	if s.outlet != nil {
		answerBytesMax := map[string]int{}
		for _, connection := range usable {
			answerBytesMax[connection.ID] = connection.AnswerBytesMax
		}
		s.outlet.setAnswerBytesMax(answerBytesMax)
	}
	refused = append(refused, s.connector.Configure(ctx, usable)...)
	s.applied = request.GetGeneration()
	response := &pb.ConfigureResponse{}
	for _, row := range refused {
		response.Errors = append(response.Errors, &pb.ConnectionError{ConnectionId: row.ConnectionID, Errors: toFieldErrors(row.Errors)})
	}
	return response, nil
}

func (s *service) Receive(stream pb.Connector_ReceiveServer) error {
	if s.intake == nil {
		return status.Error(codes.Unimplemented, "this connector is not a source")
	}
	return s.intake.serve(stream)
}

func (s *service) Send(stream pb.Connector_SendServer) error {
	if s.outlet == nil {
		return status.Error(codes.Unimplemented, "this connector is not a destination")
	}
	return s.outlet.serve(stream)
}

func (s *service) Drain(ctx context.Context, _ *pb.DrainRequest) (*pb.DrainResponse, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, drainDefault)
		defer cancel()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if drainer, ok := s.connector.(Drainer); ok {
			drainer.Drain(ctx)
		}
		if s.outlet != nil {
			s.outlet.wait(ctx)
		}
	}()
	select {
	case <-done:
	case <-ctx.Done(): // a connector that does not give up is left behind
	}
	return &pb.DrainResponse{}, nil
}

// check is parse and Validate, where one connection that the author's code cannot cope with must not keep the others from being
// applied.
func (s *service) check(ctx context.Context, wire *pb.Connection) (connection Connection, problems []FieldError) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.Error("a connection could not be checked, by a fault of the connector", "connection", wire.GetConnectionId(), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			problems = []FieldError{{Message: "The connector failed while it checked these settings; the log of the node says why."}}
		}
	}()
	connection, problems = s.parse(wire, true)
	if problems == nil {
		problems = s.connector.Validate(ctx, connection)
	}
	return connection, problems
}

// parse checks what is the same for every connector. The connection has its ID also when there are problems.
func (s *service) parse(wire *pb.Connection, needsSecrets bool) (Connection, []FieldError) {
	connection := Connection{
		ID:         wire.GetConnectionId(),
		CustomerID: wire.GetCustomerId(),
		Settings:   json.RawMessage(wire.GetSettings()),
		Secrets:    readSecrets(wire.GetSecrets()),
	}
	switch {
	case wire.GetRole() == pb.Role_ROLE_SOURCE && s.intake != nil:
		connection.Role = RoleSource
	case wire.GetRole() == pb.Role_ROLE_DESTINATION && s.outlet != nil:
		connection.Role = RoleDestination
		connection.AnswerBytesMax = int(wire.GetAnswerBytesMax())
		connection.AnswerOptional = wire.GetAnswerOptional()
	default:
		return connection, []FieldError{{Message: "This connector cannot be used in this role."}}
	}
	if wire.GetReplyWithinMs() > 0 {
		if connection.Role != RoleSource || !s.connector.Describe().Replies {
			return connection, []FieldError{{Message: "This connector cannot answer its senders with the pipeline’s result."}}
		}
		connection.ReplyWithin = time.Duration(wire.GetReplyWithinMs()) * time.Millisecond
	}
	if !json.Valid(connection.Settings) {
		return connection, []FieldError{{Message: "The settings are not JSON."}}
	}
	if needsSecrets {
		return connection, missingSecrets(connection.Settings, connection.Secrets)
	}
	return connection, nil
}

// readSecrets makes the secrets of one connection; one without a version is as good as none.
func readSecrets(wire []*pb.Secret) map[string]Secret {
	secrets := map[string]Secret{}
	for _, given := range wire {
		secret := Secret{name: given.GetName(), hosts: given.GetHosts()}
		for _, version := range given.GetVersions() {
			secret.versions = append(secret.versions, newSecretVersion(version.GetVersion(), version.GetValue()))
		}
		if len(secret.versions) > 0 {
			secrets[secret.name] = secret
		}
	}
	return secrets
}

// recovered makes an error of a panic: settings that the connector cannot cope with must not end it at every start.
func (s *service) recovered(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.Error("a call failed by a fault of the connector", "method", info.FullMethod, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "the call failed in the connector; its log says why")
		}
	}()
	return handle(ctx, request)
}

func toFieldErrors(problems []FieldError) []*pb.FieldError {
	var wire []*pb.FieldError
	for _, problem := range problems {
		wire = append(wire, &pb.FieldError{Path: problem.Path, Message: problem.Message})
	}
	return wire
}
