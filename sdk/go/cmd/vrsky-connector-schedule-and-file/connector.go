package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"sync"
	"time"

	"vrsky/sdk/go/connector"
)

//go:embed source.schema.json
var sourceSchema []byte

//go:embed destination.schema.json
var destinationSchema []byte

// scheduleAndFile joins the clocks of its sources and the files of its destinations.
type scheduleAndFile struct {
	// dataDir is the only folder that is written to; empty when the node gives none.
	dataDir string

	intake connector.Intake
	life   context.Context

	mu     sync.Mutex
	clocks map[string]*clock
	// outputs are by connection; several may have the same.
	outputs map[string]output
	files   map[string]*file
}

// output takes messages and says what became of them.
type output interface {
	send(ctx context.Context, delivery connector.Delivery) connector.Result
}

func newConnector(dataDir string) *scheduleAndFile {
	return &scheduleAndFile{dataDir: dataDir, clocks: map[string]*clock{}, outputs: map[string]output{}, files: map[string]*file{}}
}

func (c *scheduleAndFile) Describe() connector.Description {
	return connector.Description{
		Name:                "schedule-and-file",
		Version:             version,
		Title:               "Schedule and file",
		Description:         "Begins messages at times of a schedule, and writes messages to a file on the node or to its log.",
		SourceSettings:      json.RawMessage(sourceSchema),
		DestinationSettings: json.RawMessage(destinationSchema),
	}
}

func (c *scheduleAndFile) Validate(_ context.Context, connection connector.Connection) []connector.FieldError {
	if connection.Role == connector.RoleSource {
		_, problems := readSchedule(connection.Settings)
		return problems
	}
	settings, problems := readDestination(connection.Settings)
	if problems != nil || settings.To == toStdout {
		return problems
	}
	return c.checkPath(settings.Path)
}

func (c *scheduleAndFile) Test(_ context.Context, connection connector.Connection) []connector.Check {
	if connection.Role == connector.RoleSource {
		return testSchedule(connection.Settings)
	}
	return c.testDestination(connection.Settings)
}

func (c *scheduleAndFile) Receive(ctx context.Context, intake connector.Intake) error {
	c.life, c.intake = ctx, intake
	return nil
}

// Configure leaves alone what stays as it is: a clock that began anew could miss a tick, or tick twice.
func (c *scheduleAndFile) Configure(_ context.Context, connections []connector.Connection) []connector.ConnectionErrors {
	c.mu.Lock()
	defer c.mu.Unlock()
	clocks, outputs, files := map[string]*clock{}, map[string]output{}, map[string]*file{}
	var refused []connector.ConnectionErrors
	for _, connection := range connections {
		if connection.Role == connector.RoleSource {
			clocks[connection.ID] = c.clockOf(connection)
			continue
		}
		settings, _ := readDestination(connection.Settings) // it has passed Validate
		if settings.To == toStdout {
			outputs[connection.ID] = printer{}
			continue
		}
		known, ok := files[settings.Path]
		if ok && known.settings != settings {
			problem := connector.FieldError{Path: "/path", Message: "Another destination writes to this file with other settings."}
			refused = append(refused, connector.ConnectionErrors{ConnectionID: connection.ID, Errors: []connector.FieldError{problem}})
			continue
		}
		if !ok {
			known = c.fileOf(settings)
			files[settings.Path] = known
		}
		outputs[connection.ID] = known
	}
	for id, running := range c.clocks {
		if clocks[id] != running {
			running.stop()
		}
	}
	for path, open := range c.files {
		if files[path] != open {
			open.close()
		}
	}
	c.clocks, c.outputs, c.files = clocks, outputs, files
	return refused
}

func (c *scheduleAndFile) clockOf(connection connector.Connection) *clock {
	if running, ok := c.clocks[connection.ID]; ok && running.settings == string(connection.Settings) {
		return running
	}
	schedule, _ := readSchedule(connection.Settings) // it has passed Validate
	return startClock(c.life, c.intake, connection.ID, string(connection.Settings), schedule)
}

func (c *scheduleAndFile) fileOf(settings destinationSettings) *file {
	if open, ok := c.files[settings.Path]; ok && open.settings == settings {
		return open
	}
	var after <-chan struct{}
	if before, ok := c.files[settings.Path]; ok {
		after = before.released
	}
	return newFile(c.dataDir, settings, after)
}

func (c *scheduleAndFile) Send(ctx context.Context, delivery connector.Delivery) connector.Result {
	c.mu.Lock()
	to, ok := c.outputs[delivery.ConnectionID]
	c.mu.Unlock()
	if !ok {
		return notConfigured
	}
	started := time.Now()
	result := to.send(ctx, delivery)
	result.StartedAt, result.Duration = started, time.Since(started)
	return result
}

// Drain stops the clocks and closes the files; a tick that waits for the node's word gets it, and what came is written.
func (c *scheduleAndFile) Drain(ctx context.Context) {
	c.mu.Lock()
	var ends []<-chan struct{}
	for _, running := range c.clocks {
		running.rest()
		ends = append(ends, running.ended)
	}
	for _, open := range c.files {
		open.close()
		ends = append(ends, open.released)
	}
	c.mu.Unlock()
	for _, end := range ends {
		select {
		case <-end:
		case <-ctx.Done():
			return
		}
	}
}
