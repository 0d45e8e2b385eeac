// Command testplugin is a connector for tests of hosts: its source emits as many messages as its settings say, its destination
// accepts, refuses or breaks by what a message says.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"vrsky/sdk/go/connector"
)

var log = connector.NewLog("sample")

func main() {
	connector.Serve(&sample{stop: func() {}, outcomes: map[connector.ResultStatus]int{}})
}

type sample struct {
	intake connector.Intake
	life   context.Context

	mu sync.Mutex
	// stop ends the emitting of the set of connections that is in force.
	stop     context.CancelFunc
	refuse   map[string]string
	outcomes map[connector.ResultStatus]int
}

type sourceSettings struct {
	Count int    `json:"count"`
	Text  string `json:"text"`
}

type destinationSettings struct {
	Refuse string `json:"refuse"`
}

func (s *sample) Describe() connector.Description {
	return connector.Description{
		Name:                "sample",
		Version:             "1.2.3",
		Title:               "Sample",
		Description:         "A connector for tests of hosts.",
		SourceSettings:      json.RawMessage(`{"type":"object","properties":{"count":{"type":"integer"},"text":{"type":"string"}}}`),
		DestinationSettings: json.RawMessage(`{"type":"object","properties":{"refuse":{"type":"string"}}}`),
	}
}

func (s *sample) Validate(_ context.Context, connection connector.Connection) []connector.FieldError {
	if connection.Role == connector.RoleSource {
		_, problems := readSource(connection.Settings)
		return problems
	}
	_, problems := readDestination(connection.Settings)
	return problems
}

func (s *sample) Configure(_ context.Context, connections []connector.Connection) []connector.ConnectionErrors {
	fmt.Println("printed on stdout")
	fmt.Fprintln(os.Stderr, "printed on stderr")
	log.Debug("configured", "connections", len(connections))
	var refused []connector.ConnectionErrors
	sources := map[string]sourceSettings{}
	refuse := map[string]string{}
	for _, connection := range connections {
		var problems []connector.FieldError
		if connection.Role == connector.RoleSource {
			sources[connection.ID], problems = readSource(connection.Settings)
		} else {
			refuse[connection.ID], problems = readDestination(connection.Settings)
		}
		if problems != nil {
			delete(sources, connection.ID)
			delete(refuse, connection.ID)
			refused = append(refused, connector.ConnectionErrors{ConnectionID: connection.ID, Errors: problems})
		}
	}
	s.replace(sources, refuse)
	return refused
}

func (s *sample) Receive(ctx context.Context, intake connector.Intake) error {
	fmt.Println("printed before the handshake")
	s.life, s.intake = ctx, intake
	return nil
}

func (s *sample) Send(_ context.Context, delivery connector.Delivery) connector.Result {
	started := time.Now()
	result := s.judge(delivery)
	result.StartedAt, result.Duration = started, time.Since(started)
	s.mu.Lock()
	s.outcomes[result.Status]++
	s.mu.Unlock()
	return result
}

func (s *sample) Drain(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	log.Info("drained", "ok", s.outcomes[connector.ResultOK], "permanent", s.outcomes[connector.ResultPermanent])
}

func (s *sample) replace(sources map[string]sourceSettings, refuse map[string]string) {
	ctx, stop := context.WithCancel(s.life)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.stop, s.refuse = stop, refuse
	for id, settings := range sources {
		for i := range settings.Count {
			go s.emit(ctx, id, fmt.Sprintf("%s %d", settings.Text, i+1))
		}
	}
}

// emit hands one message over until the platform has it.
func (s *sample) emit(ctx context.Context, connectionID, text string) {
	for ctx.Err() == nil {
		receipt := s.intake.Submit(ctx, connector.Message{ConnectionID: connectionID, Payload: []byte(text), ContentType: "text/plain"})
		if receipt.Status != connector.ReceiptUnavailable {
			log.Info("emitted", "status", receipt.Status, "message_id", receipt.MessageID)
			return
		}
		select {
		case <-time.After(receipt.RetryAfter):
		case <-ctx.Done():
		}
	}
}

func (s *sample) judge(delivery connector.Delivery) connector.Result {
	s.mu.Lock()
	refuse, configured := s.refuse[delivery.ConnectionID]
	s.mu.Unlock()
	switch {
	case !configured:
		return connector.Result{Status: connector.ResultRetryable, Source: connector.ErrorPlugin, Code: "not_configured"}
	case string(delivery.Payload) == "panic":
		panic("the message said so")
	case string(delivery.Payload) == "later":
		return connector.Result{Status: connector.ResultRateLimited, Code: "busy", RetryAfter: 1500 * time.Millisecond}
	case refuse != "" && bytes.Contains(delivery.Payload, []byte(refuse)):
		log.Warn("refused", "message_id", delivery.MessageID)
		return connector.Result{Status: connector.ResultPermanent, Code: "refused", Reason: "The receiver does not want it.", PeerStatus: 422}
	default:
		return connector.Result{Status: connector.ResultOK, PeerAnswer: delivery.Payload}
	}
}

func readSource(settings json.RawMessage) (sourceSettings, []connector.FieldError) {
	var read sourceSettings
	if json.Unmarshal(settings, &read) != nil || read.Count < 1 || read.Count > 1000 {
		return read, []connector.FieldError{{Path: "/count", Message: "From 1 to 1,000."}}
	}
	return read, nil
}

func readDestination(settings json.RawMessage) (string, []connector.FieldError) {
	var read destinationSettings
	if json.Unmarshal(settings, &read) != nil {
		return "", []connector.FieldError{{Path: "/refuse", Message: "A text."}}
	}
	return read.Refuse, nil
}
