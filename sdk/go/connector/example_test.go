package connector_test

import (
	"context"
	"encoding/json"
	"fmt"

	"vrsky/sdk/go/connector"
)

type echo struct{}

func (echo) Describe() connector.Description {
	return connector.Description{
		Name:                "echo",
		Version:             "1.0.0",
		Title:               "Echo",
		Description:         "Takes every message.",
		DestinationSettings: json.RawMessage(`{"type": "object", "properties": {"key": ` + string(connector.SecretSchema("Key", "")) + `}}`),
	}
}

type settings struct {
	Key *connector.SecretRef `json:"key"`
}

func (echo) Validate(_ context.Context, connection connector.Connection) []connector.FieldError {
	return connector.ReadSettings(connection.Settings, &settings{})
}

func (echo) Configure(context.Context, []connector.Connection) []connector.ConnectionErrors {
	return nil
}

func (echo) Send(context.Context, connector.Delivery) connector.Result {
	return connector.Result{Status: connector.ResultOK}
}

// A whole connector; its main is one line, connector.Serve(echo{}).
func Example() {
	fmt.Println(echo{}.Validate(context.Background(), connector.Connection{Settings: json.RawMessage(`{"key": "hunter2"}`)}))
	// Output: [{/key Choose a secret.}]
}

// What a secret is for: its value goes where it has to, and is never printed by accident.
func ExampleSecret() {
	key := connector.NewSecret("api", []string{"api.example.com"}, "hunter2", "hunter1")
	fmt.Println(key, key.Newest())
	fmt.Println(len(key.Newest().Bytes()), len(key.Versions()), key.Hosts())
	// Output:
	// [secret api] [version 2 of a secret]
	// 7 2 [api.example.com]
}
