package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"sync"
	"time"

	"vrsky/sdk/go/connector"
)

// counter is a source that counts, and a destination that writes a fingerprint of each message to the log of the node: signed with
// a key where the connection has one.
type counter struct {
	intake connector.Intake
	life   context.Context

	mu sync.Mutex
	// stop ends the counting of the connections that are in force.
	stop context.CancelFunc
	// fingerprints has how to make one, by connection.
	fingerprints map[string]func() hash.Hash
}

type sourceSettings struct {
	EveryMs int `json:"everyMs"`
}

type destinationSettings struct {
	SigningKey connector.SecretRef `json:"signingKey"`
}

func newCounter() *counter { return &counter{stop: func() {}} }

func (*counter) Describe() connector.Description {
	return connector.Description{
		Name:        name,
		Version:     version,
		Title:       "My connector",
		Description: "Counts, and takes the fingerprints of messages.",
		SourceSettings: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"additionalProperties": false,
			"properties": {
				"everyMs": {"type": "integer", "title": "Milliseconds between two messages", "minimum": 10, "maximum": 3600000, "default": 1000}
			}
		}`),
		DestinationSettings: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"additionalProperties": false,
			"properties": {
				"signingKey": ` + string(connector.SecretSchema("Signing key", "Each fingerprint is signed with it. Without one it is a plain SHA-256.")) + `
			}
		}`),
	}
}

// Validate says what is wrong with settings, each problem at its field.
func (*counter) Validate(_ context.Context, connection connector.Connection) []connector.FieldError {
	if connection.Role == connector.RoleDestination {
		return connector.ReadSettings(connection.Settings, &destinationSettings{})
	}
	settings, problems := readSource(connection.Settings)
	if problems == nil && (settings.EveryMs < 10 || settings.EveryMs > 3_600_000) {
		problems = []connector.FieldError{{Path: "/everyMs", Message: "From 10 to 3,600,000 milliseconds."}}
	}
	return problems
}

func readSource(settings json.RawMessage) (sourceSettings, []connector.FieldError) {
	read := sourceSettings{EveryMs: 1000}
	problems := connector.ReadSettings(settings, &read)
	return read, problems
}

// Test is what Test connection tries. Reach out, and deliver nothing.
func (*counter) Test(context.Context, connector.Connection) []connector.Check {
	return []connector.Check{connector.RunCheck("Look around", func() (string, error) { return "There is nothing to reach yet.", nil })}
}

// Receive is called once, before the node is told that the connector is ready.
func (c *counter) Receive(ctx context.Context, intake connector.Intake) error {
	c.life, c.intake = ctx, intake
	return nil
}

// Configure replaces the whole set of connections; each has passed Validate and has its secrets.
func (c *counter) Configure(_ context.Context, connections []connector.Connection) []connector.ConnectionErrors {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
	ctx, stop := context.WithCancel(c.life)
	c.stop, c.fingerprints = stop, map[string]func() hash.Hash{}
	for _, connection := range connections {
		if connection.Role == connector.RoleSource {
			settings, _ := readSource(connection.Settings)
			go c.count(ctx, connection.ID, time.Duration(settings.EveryMs)*time.Millisecond)
			continue
		}
		var settings destinationSettings
		connector.ReadSettings(connection.Settings, &settings)
		c.fingerprints[connection.ID] = sha256.New
		if key, ok := connection.Secret(settings.SigningKey); ok {
			c.fingerprints[connection.ID] = func() hash.Hash { return hmac.New(sha256.New, key.Newest().Bytes()) }
		}
	}
	return nil
}

// count hands over one message after the other, each until the platform has it.
func (c *counter) count(ctx context.Context, connectionID string, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		receipt := c.intake.Submit(ctx, connector.Message{
			ConnectionID: connectionID,
			Payload:      fmt.Appendf(nil, `{"n":%d}`, n),
			ContentType:  "application/json",
		})
		if receipt.Status == connector.ReceiptStored {
			n++
		}
	}
}

// Send delivers one message. Several run at a time.
func (c *counter) Send(_ context.Context, delivery connector.Delivery) connector.Result {
	c.mu.Lock()
	newFingerprint, ok := c.fingerprints[delivery.ConnectionID]
	c.mu.Unlock()
	if !ok {
		return connector.Result{Status: connector.ResultRetryable, Source: connector.ErrorPlugin, Code: "not_configured", Reason: "This destination is not set up yet."}
	}
	if len(delivery.Payload) == 0 {
		return connector.Result{Status: connector.ResultPermanent, Code: "empty", Reason: "The message is empty."}
	}
	fingerprint := newFingerprint()
	fingerprint.Write(delivery.Payload)
	log.Debug("seen", "messageId", delivery.MessageID, "fingerprint", hex.EncodeToString(fingerprint.Sum(nil)))
	return connector.Result{Status: connector.ResultOK}
}

// Drain begins nothing new; deliveries are waited for anyway.
func (c *counter) Drain(context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
}
