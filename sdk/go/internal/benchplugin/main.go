// Command benchplugin is a connector for `npm run bench:plugin` that does nothing: it says ok to every message, and while it has a
// connection in the role of a source it hands over messages, as many at a time as the connection's settings say.
package main

import (
	"bytes"
	"context"
	"encoding/json"

	"vrsky/sdk/go/connector"
)

type sourceSettings struct {
	Senders int `json:"senders"`
}

var (
	payload = bytes.Repeat([]byte("x"), 1024)
	headers = []connector.Header{{Name: "ce-type", Value: "bench"}}
)

type bench struct {
	intake connector.Intake
	life   context.Context
	stop   context.CancelFunc
}

func main() {
	connector.Serve(&bench{stop: func() {}})
}

func (*bench) Describe() connector.Description {
	return connector.Description{
		Name:                "bench",
		Version:             "1.0.0",
		Title:               "Bench",
		Description:         "Does nothing, for measurements.",
		SourceSettings:      json.RawMessage(`{"type":"object"}`),
		DestinationSettings: json.RawMessage(`{"type":"object"}`),
	}
}

func (*bench) Validate(context.Context, connector.Connection) []connector.FieldError {
	return nil
}

func (b *bench) Configure(_ context.Context, connections []connector.Connection) []connector.ConnectionErrors {
	b.stop()
	ctx, stop := context.WithCancel(b.life)
	b.stop = stop
	for _, connection := range connections {
		if connection.Role != connector.RoleSource {
			continue
		}
		var settings sourceSettings
		if problems := connector.ReadSettings(connection.Settings, &settings); problems != nil {
			return []connector.ConnectionErrors{{ConnectionID: connection.ID, Errors: problems}}
		}
		for range settings.Senders {
			go b.emit(ctx, connection.ID)
		}
	}
	return nil
}

func (b *bench) Receive(ctx context.Context, intake connector.Intake) error {
	b.life, b.intake = ctx, intake
	return nil
}

func (*bench) Send(context.Context, connector.Delivery) connector.Result {
	return connector.Result{Status: connector.ResultOK}
}

func (b *bench) emit(ctx context.Context, connectionID string) {
	message := connector.Message{ConnectionID: connectionID, Payload: payload, ContentType: "application/octet-stream", Headers: headers}
	for ctx.Err() == nil {
		b.intake.Submit(ctx, message)
	}
}
