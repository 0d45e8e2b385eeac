package main

import (
	"context"
	"math/rand/v2"
	"time"

	"vrsky/sdk/go/connector"
)

const (
	firstBackOff = 50 * time.Millisecond
	lastBackOff  = 5 * time.Second
)

// clock is one running schedule. It never has two ticks at work.
type clock struct {
	// settings are as they came, to tell whether they have changed.
	settings string
	// rest lets the tick at work end and begins no more; stop ends that one as well.
	rest, stop context.CancelFunc
	// begin ends when no further tick begins, work when none goes on, ended is closed when the clock is gone.
	begin, work context.Context
	ended       chan struct{}

	connectionID string
	intake       connector.Intake
	schedule     schedule
}

// startClock ticks until it is stopped or life ends.
func startClock(life context.Context, intake connector.Intake, connectionID, settings string, s schedule) *clock {
	work, stop := context.WithCancel(life)
	begin, rest := context.WithCancel(work)
	c := &clock{
		settings: settings, rest: rest, stop: stop, begin: begin, work: work, ended: make(chan struct{}),
		connectionID: connectionID, intake: intake, schedule: s,
	}
	go c.run()
	return c
}

func (c *clock) run() {
	defer close(c.ended)
	for due := c.schedule.next(time.Now()); !due.IsZero(); {
		late := time.Duration(0)
		if c.schedule.jitter > 0 {
			late = rand.N(c.schedule.jitter)
		}
		if !sleep(c.begin, time.Until(due)+late) {
			return
		}
		after := c.schedule.next(due)
		c.tick(due, after)
		// What came due meanwhile is skipped: after a pause nobody wants all of it at once.
		if now := time.Now(); !after.After(now) {
			skipped := 0
			for !after.IsZero() && !after.After(now) {
				skipped++
				after = c.schedule.next(after)
				if skipped == skippedCounted {
					after = c.schedule.next(now)
				}
			}
			log.Warn("ticks were skipped: their time came while another one was at work, or while nothing ran", "connection", c.connectionID, "ticks", skipped)
		}
		due = after
	}
}

// Beyond so many, skipped ticks are not counted one by one.
const skippedCounted = 1000

// tick hands over one message, again and again while the node cannot take it, until the next one is due.
func (c *clock) tick(due, next time.Time) {
	ctx := c.work
	if !next.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(c.work, next)
		defer cancel()
	}
	id := c.connectionID + "/" + due.UTC().Format(time.RFC3339Nano)
	fired := time.Now()
	message := connector.Message{
		ConnectionID: c.connectionID,
		Payload:      fill(c.schedule.payload, id, due, fired),
		ContentType:  "application/json",
		ReceivedAt:   fired,
		Headers: []connector.Header{
			{Name: "ce-specversion", Value: "1.0"},
			{Name: "ce-id", Value: id},
			{Name: "ce-source", Value: "vrsky/schedule-and-file"},
			{Name: "ce-type", Value: "vrsky.schedule.tick"},
			{Name: "ce-time", Value: due.UTC().Format(time.RFC3339Nano)},
		},
	}
	for backOff := firstBackOff; ; backOff = min(2*backOff, lastBackOff) {
		receipt := c.intake.Submit(ctx, message)
		switch receipt.Status {
		case connector.ReceiptStored:
			return
		case connector.ReceiptTooLarge, connector.ReceiptNotFound:
			log.Warn("a tick is not wanted", "connection", c.connectionID, "tick", id, "status", receipt.Status)
			return
		}
		if !sleep(ctx, max(receipt.RetryAfter, backOff/2+rand.N(backOff/2))) {
			if c.work.Err() == nil {
				log.Error("a tick is skipped: the node did not take it before the next one was due", "connection", c.connectionID, "tick", id, "status", receipt.Status)
			} else {
				log.Warn("a tick was not taken before the schedule ended", "connection", c.connectionID, "tick", id, "status", receipt.Status)
			}
			return
		}
	}
}

// sleep answers whether the time has passed before ctx ended.
func sleep(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
