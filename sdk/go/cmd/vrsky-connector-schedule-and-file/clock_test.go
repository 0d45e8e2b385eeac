package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"vrsky/sdk/go/connector"
)

// platform answers for the node what a test wants; each offer waits for it.
type platform struct {
	offers chan offer
	atOnce atomic.Int32
	most   atomic.Int32
}

type offer struct {
	message connector.Message
	answer  chan<- connector.Receipt
}

func newPlatform() *platform { return &platform{offers: make(chan offer)} }

func (p *platform) Submit(ctx context.Context, message connector.Message) connector.Receipt {
	p.most.Store(max(p.most.Load(), p.atOnce.Add(1)))
	defer p.atOnce.Add(-1)
	answer := make(chan connector.Receipt, 1)
	select {
	case p.offers <- offer{message, answer}:
	case <-ctx.Done():
		return connector.Receipt{Status: connector.ReceiptUnavailable}
	}
	select {
	case receipt := <-answer:
		return receipt
	case <-ctx.Done():
		return connector.Receipt{Status: connector.ReceiptUnavailable}
	}
}

func (p *platform) next(t *testing.T) offer {
	t.Helper()
	select {
	case o := <-p.offers:
		return o
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func header(message connector.Message, name string) string {
	for _, each := range message.Headers {
		if each.Name == name {
			return each.Value
		}
	}
	return ""
}

var (
	stored      = connector.Receipt{Status: connector.ReceiptStored}
	unavailable = connector.Receipt{Status: connector.ReceiptUnavailable}
)

func start(t *testing.T, p *platform, settings string) *clock {
	t.Helper()
	read, problems := readSchedule(json.RawMessage(settings))
	if problems != nil {
		t.Fatal(problems)
	}
	c := startClock(t.Context(), p, "p/in", settings, read)
	t.Cleanup(func() { c.stop(); <-c.ended })
	return c
}

func TestATickThatIsNotTakenComesAgainAsTheSameOne(t *testing.T) {
	p := newPlatform()
	start(t, p, `{"every":"2s"}`)
	first := p.next(t)
	first.answer <- unavailable
	again := p.next(t)
	again.answer <- stored
	id := header(first.message, "ce-id")
	if id != header(again.message, "ce-id") || string(first.message.Payload) != string(again.message.Payload) {
		t.Fatalf("it is another one: %v %v", first.message, again.message)
	}
	due := header(first.message, "ce-time")
	if at, err := time.Parse(time.RFC3339Nano, due); err != nil || at.UnixMilli()%2000 != 0 || id != "p/in/"+due {
		t.Fatalf("another id came: %s", id)
	}
	if string(first.message.Payload) != fmt.Sprintf(`{"id": %q, "scheduledAt": %q}`, id, due) {
		t.Fatalf("another payload came: %s", first.message.Payload)
	}
	third := p.next(t)
	if header(third.message, "ce-id") == id {
		t.Fatal("a tick that is stored came again")
	}
	third.answer <- stored
}

func TestTicksNeverOverlapAndThoseThatWereMissedAreSkipped(t *testing.T) {
	p := newPlatform()
	start(t, p, `{"every":"10ms"}`)
	slow := p.next(t)
	before, _ := time.Parse(time.RFC3339Nano, header(slow.message, "ce-time"))
	// Nobody answers it until others are due: it is given up for the next one.
	for range 5 {
		o := p.next(t)
		at, _ := time.Parse(time.RFC3339Nano, header(o.message, "ce-time"))
		if !at.After(before) {
			t.Fatalf("a tick came out of order: %v after %v", at, before)
		}
		before = at
		o.answer <- stored
	}
	if p.most.Load() != 1 {
		t.Fatalf("%d ticks were at work at the same time", p.most.Load())
	}
}

func TestATickThatNobodyWantsIsNotTriedAgain(t *testing.T) {
	p := newPlatform()
	start(t, p, `{"every":"50ms"}`)
	first := p.next(t)
	first.answer <- connector.Receipt{Status: connector.ReceiptNotFound}
	second := p.next(t)
	if header(first.message, "ce-id") == header(second.message, "ce-id") {
		t.Fatal("it came again")
	}
	second.answer <- stored
}

func TestAConnectionThatStaysTheSameKeepsItsClockAndDrainLetsATickEnd(t *testing.T) {
	p := newPlatform()
	c := newConnector("")
	if err := c.Receive(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	configure := func(settings string) *clock {
		c.Configure(t.Context(), []connector.Connection{{ID: "p/in", Role: connector.RoleSource, Settings: json.RawMessage(settings)}})
		return c.clocks["p/in"]
	}
	first := configure(`{"every":"1s"}`)
	if configure(`{"every":"1s"}`) != first {
		t.Fatal("it began anew")
	}
	second := configure(`{"every":"500ms"}`)
	<-first.ended
	waiting := p.next(t)
	drained := make(chan struct{})
	go func() { defer close(drained); c.Drain(t.Context()) }()
	<-second.begin.Done()
	select {
	case <-drained:
		t.Fatal("it did not wait for the tick")
	default:
	}
	waiting.answer <- stored
	<-drained
	<-second.ended
}
