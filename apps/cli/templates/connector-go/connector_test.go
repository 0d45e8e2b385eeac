package main

import (
	"context"
	"encoding/json"
	"testing"

	"vrsky/sdk/go/connector"
)

// platform is in the place of the node: it answers each message with the next word.
type platform struct {
	words    []connector.ReceiptStatus
	payloads chan string
}

func (p *platform) Submit(ctx context.Context, message connector.Message) connector.Receipt {
	select {
	case p.payloads <- string(message.Payload):
	case <-ctx.Done():
		return connector.Receipt{Status: connector.ReceiptUnavailable}
	}
	if len(p.words) == 0 {
		return connector.Receipt{Status: connector.ReceiptStored}
	}
	word := p.words[0]
	p.words = p.words[1:]
	return connector.Receipt{Status: word}
}

func TestItCountsAndGoesOnOnlyWhenAMessageIsStored(t *testing.T) {
	c := newCounter()
	p := &platform{words: []connector.ReceiptStatus{connector.ReceiptUnavailable}, payloads: make(chan string)}
	if err := c.Receive(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	c.Configure(t.Context(), []connector.Connection{{ID: "in", Role: connector.RoleSource, Settings: json.RawMessage(`{"everyMs":10}`)}})
	for _, want := range []string{`{"n":1}`, `{"n":1}`, `{"n":2}`} {
		if got := <-p.payloads; got != want {
			t.Fatalf("%s came, not %s", got, want)
		}
	}
	c.Drain(t.Context())
}

func TestItSignsAMessageWithTheKey(t *testing.T) {
	c := newCounter()
	c.life = t.Context()
	key := connector.NewSecret("signing", nil, "hunter2")
	connection := connector.Connection{
		ID:       "out",
		Role:     connector.RoleDestination,
		Settings: json.RawMessage(`{"signingKey":{"$secret":"signing"}}`),
		Secrets:  map[string]connector.Secret{"signing": key},
	}
	if problems := c.Validate(t.Context(), connection); problems != nil {
		t.Fatal(problems)
	}
	c.Configure(t.Context(), []connector.Connection{connection})
	if result := c.Send(t.Context(), connector.Delivery{ConnectionID: "out", Payload: []byte("{}")}); result.Status != connector.ResultOK {
		t.Fatalf("it gave %+v", result)
	}
	if result := c.Send(t.Context(), connector.Delivery{ConnectionID: "out"}); result.Code != "empty" {
		t.Fatalf("it gave %+v", result)
	}
}

func TestWhatIsWrongWithSettingsIsSaidAtTheField(t *testing.T) {
	for settings, path := range map[string]string{`{"everyMs":0}`: "/everyMs", `{"everyMs":"x"}`: "/everyMs", `{"often":1}`: "/often"} {
		problems := newCounter().Validate(t.Context(), connector.Connection{Role: connector.RoleSource, Settings: json.RawMessage(settings)})
		if len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s gave %+v", settings, problems)
		}
	}
}
