// Package connector is what authors of connectors write against: implement [Source], [Destination] or both, and hand it to
// [Serve] in main. A connection node starts the program and talks to it by the contract vrsky.connector.v1.
package connector

import (
	"context"
	"encoding/json"
	"time"
)

// Connector is what every connector does, whatever its role.
type Connector interface {
	// Describe says what this connector is. Needs no configuration.
	Describe() Description
	// Validate checks one connection without applying it, and reaches nothing outside. ReadSettings does half of it. It runs before
	// Configure, too. The values of secrets may not be there.
	Validate(ctx context.Context, connection Connection) []FieldError
	// Configure replaces the whole set of connections; each has passed Validate and has the secrets its settings refer to. Answer
	// one row for each that cannot be applied, and apply the others. It is called again with the same set after a restart, and never
	// twice at a time.
	Configure(ctx context.Context, connections []Connection) []ConnectionErrors
}

// Source is a connector from which messages come.
type Source interface {
	Connector
	// Receive is called once, before the node is told that the connector is ready. Keep the intake, start to listen, return. An error
	// ends the process. ctx ends when the connector does.
	Receive(ctx context.Context, intake Intake) error
}

// Destination is a connector to which messages go.
type Destination interface {
	Connector
	// Send delivers one message and answers what became of it. Several run at a time: bound them yourself. A panic is a retryable
	// fault of the connector. ctx ends when nobody waits for the result any more.
	Send(ctx context.Context, delivery Delivery) Result
}

// Drainer is a connector that has work to end before it goes.
type Drainer interface {
	// Drain takes no new work from peers, lets what is there end, and gives up when ctx ends. Deliveries are waited for anyway.
	Drain(ctx context.Context)
}

// Tester is a connector whose connections can be tried before they are used.
type Tester interface {
	// Test tries what only the outside world can answer (resolve, connect, sign in), and delivers and changes nothing. It runs when
	// Validate found nothing wrong. Answer what was tried, in order; RunCheck measures one. Give up when ctx ends.
	Test(ctx context.Context, connection Connection) []Check
}

// Check is what came of one thing that was tried.
type Check struct {
	// Name is what was tried, in a few words for the customer: "Resolve api.example.com".
	Name   string
	Passed bool
	// Detail is what came of it, in a sentence; for a failed one also what to do.
	Detail   string
	Duration time.Duration
}

// RunCheck runs and measures one check of a Tester. What run answers is the detail; an error makes it a failed one with the
// error's text, which the customer reads.
func RunCheck(name string, run func() (string, error)) Check {
	started := time.Now()
	detail, err := run()
	if err != nil {
		detail = err.Error()
	}
	return Check{Name: name, Passed: err == nil, Detail: detail, Duration: time.Since(started)}
}

// Description is what a connector says about itself. Its roles follow from the interfaces it implements.
type Description struct {
	// Name is for machines, short and lower-case: "http".
	Name string
	// Version is the semantic version of the release.
	Version string
	// Title is for people: a name of a few words.
	Title string
	// Description is for people: what it does, in a sentence or two.
	Description string
	// SourceSettings is the JSON Schema (2020-12) of a connection's settings in the role of a source; the console makes its form
	// from it: give each property a title and a description.
	SourceSettings json.RawMessage
	// DestinationSettings is the same for the role of a destination.
	DestinationSettings json.RawMessage
	// Replies says that the source can answer its senders with what the pipeline makes of their message: see ReplyWithin of a Connection.
	Replies bool
}

// Role is what a connector can be for a connection.
type Role string

// The roles.
const (
	RoleSource      Role = "source"
	RoleDestination Role = "destination"
)

// Connection is one configured use of the connector, by one pipeline of one tenant.
type Connection struct {
	// ID is unique, and the same over restarts and new settings.
	ID string
	// CustomerID is the tenant's public id.
	CustomerID string
	Role       Role
	// Settings is JSON as the customer entered it. Check it: Validate and Configure are where to say what is wrong.
	Settings json.RawMessage
	// AnswerBytesMax is, for a destination, how many bytes of the peer's answer go on from here and have to be in the result whole. Read
	// that many of it. 0: the beginning is enough, for people.
	AnswerBytesMax int
	// AnswerOptional goes with it: somebody waits for the answer, but nothing needs it. What the peer took is ResultOK, also when the
	// answer is lost; then it is cut.
	AnswerOptional bool
	// ReplyWithin is, for a source whose Description has Replies, how long its senders wait for what the pipeline makes of their message,
	// counted from when it came. 0: they are answered as soon as it is stored. Hand it over with each message.
	ReplyWithin time.Duration
	// Secrets are those that the settings refer to, by name. Their values are nowhere else: not in the environment, arguments, files.
	Secrets map[string]Secret
}

// Secret is the secret that settings refer to. In Configure and Test each reference has its secret; in Validate it may not.
func (c Connection) Secret(reference SecretRef) (Secret, bool) {
	secret, ok := c.Secrets[reference.Name]
	return secret, ok
}

// FieldError is one problem with one field.
type FieldError struct {
	// Path is a JSON Pointer (RFC 6901) into the settings.
	Path string
	// Message is a sentence for the customer.
	Message string
}

// ConnectionErrors is why one connection cannot be applied.
type ConnectionErrors struct {
	ConnectionID string
	Errors       []FieldError
}

// Header is one header of a message.
type Header struct {
	Name  string
	Value string
}

// Intake is where a source hands over what it received.
type Intake interface {
	// Submit hands over one message and waits for the platform's word: first until the node takes more, then until the message is
	// stored or refused. When ctx ends before that, nobody knows, and the word is ReceiptUnavailable. Answer your own peer only
	// then. Safe for use by several goroutines; their number bounds how many messages are on the way.
	Submit(ctx context.Context, message Message) Receipt
}

// Message is a message as it came from the outside world.
type Message struct {
	ConnectionID string
	Payload      []byte
	ContentType  string
	// Headers are only those that the next hop may see: never credentials.
	Headers []Header
	// Traceparent and Tracestate are the W3C Trace Context of the sender, if it sent a valid one.
	Traceparent string
	Tracestate  string
	// ReceivedAt is now, when left out.
	ReceivedAt time.Time
	// ReplyWithin is how long to wait for what the pipeline makes of it: ReplyWithin of its connection. Then its receipt has a Reply.
	ReplyWithin time.Duration
}

// ReceiptStatus is the platform's word on one message.
type ReceiptStatus string

// What the platform says about a message.
const (
	// ReceiptStored means on disk; tell the sender that it is accepted.
	ReceiptStored ReceiptStatus = "stored"
	// ReceiptUnavailable means not stored, or nobody knows; the sender should come again.
	ReceiptUnavailable ReceiptStatus = "unavailable"
	// ReceiptExhausted means that the tenant's quota is used up.
	ReceiptExhausted ReceiptStatus = "exhausted"
	// ReceiptTooLarge means that it will never be accepted.
	ReceiptTooLarge ReceiptStatus = "too_large"
	// ReceiptNotFound means that no pipeline listens on the connection any more.
	ReceiptNotFound ReceiptStatus = "not_found"
)

// Receipt is the platform's word on one message, with what else there is to say.
type Receipt struct {
	Status ReceiptStatus
	// MessageID is how the customer finds the message; empty unless stored.
	MessageID string
	// RetryAfter is when to come again; 0 when there is nothing to say.
	RetryAfter time.Duration
	// Reply gives one value, within ReplyWithin of the message; nil unless the message was stored and its sender waits for the result.
	Reply <-chan Reply
}

// ReplyStatus is what became of a message whose sender waits.
type ReplyStatus string

// What can become of it.
const (
	// ReplyDone means that Payload is the result.
	ReplyDone ReplyStatus = "done"
	// ReplyFiltered means that a step let the message go no further, as the pipeline says.
	ReplyFiltered ReplyStatus = "filtered"
	// ReplyFailed means that a step or the destination failed for good, and that the message is kept as a dead letter.
	ReplyFailed ReplyStatus = "failed"
	// ReplyTooLarge means that it went well, but that the result is larger than what can be handed back.
	ReplyTooLarge ReplyStatus = "too_large"
	// ReplyPending means that there was nothing to tell in time. The message is stored and worked on: the sender must not send it again.
	ReplyPending ReplyStatus = "pending"
)

// Reply is what a pipeline made of a message, for the sender who waits.
type Reply struct {
	Status      ReplyStatus
	Payload     []byte
	ContentType string
	// PeerStatus is the destination's own, when the result is a destination's answer; 0 when there is none.
	PeerStatus uint32
	// Code and Reason say why, unless it is done: the one stable, the other a sentence for the customer.
	Code   string
	Reason string
}

// Delivery is a message to deliver.
type Delivery struct {
	ConnectionID string
	// CustomerID is the tenant's public id. Send it along (header Customer-ID).
	CustomerID string
	PipelineID string
	// MessageID is the same on every attempt: send it as an idempotency key.
	MessageID   string
	Traceparent string
	Tracestate  string
	// Attempt counts from 1.
	Attempt     int
	Headers     []Header
	Payload     []byte
	ContentType string
}

// ResultStatus is what became of a delivery.
type ResultStatus string

// What can become of a delivery.
const (
	// ResultOK means that the receiver has it.
	ResultOK ResultStatus = "ok"
	// ResultRetryable means not now, perhaps later.
	ResultRetryable ResultStatus = "retryable"
	// ResultPermanent means never: the message becomes a dead letter with the result's reason.
	ResultPermanent ResultStatus = "permanent"
	// ResultRateLimited means later, not before the result's RetryAfter.
	ResultRateLimited ResultStatus = "rate_limited"
)

// ErrorSource says whose fault it was.
type ErrorSource string

// Whose fault a failed delivery can be.
const (
	// ErrorDownstream is the receiver's fault, and what is meant when nothing is said.
	ErrorDownstream ErrorSource = "downstream"
	// ErrorPlugin is the connector's own.
	ErrorPlugin ErrorSource = "plugin"
)

// Result is what became of one delivery.
type Result struct {
	Status ResultStatus
	Source ErrorSource
	// Code is stable, for rules and metrics: "http_500".
	Code string
	// Reason is a sentence for the customer. Never repeat settings or secrets in it.
	Reason     string
	RetryAfter time.Duration
	// PeerStatus is the receiver's own status, 0 when it gave none.
	PeerStatus uint32
	// PeerAnswer is the receiver's answer, decompressed. Up to the connection's AnswerBytesMax it goes on whole; of a longer one, and
	// where that is 0, the first KiB is kept.
	PeerAnswer []byte
	// PeerAnswerType is its media type.
	PeerAnswerType string
	// PeerAnswerCut says that there is more of it than AnswerBytesMax, and PeerAnswer is only its beginning. It is set for you when you
	// give all of it.
	PeerAnswerCut bool
	StartedAt     time.Time
	Duration      time.Duration
}
