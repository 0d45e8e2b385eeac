package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vrsky/sdk/go/connector"
)

type destination struct {
	*scheduleAndFile
	dir string
}

func open(t *testing.T, dir string, settings ...string) *destination {
	t.Helper()
	d := &destination{newConnector(dir), dir}
	t.Cleanup(func() { d.Drain(context.Background()) })
	d.configure(t, settings...)
	return d
}

func (d *destination) configure(t *testing.T, settings ...string) {
	t.Helper()
	var connections []connector.Connection
	for i, each := range settings {
		connection := connector.Connection{ID: fmt.Sprintf("p/%d", i), Role: connector.RoleDestination, Settings: json.RawMessage(each)}
		if problems := d.Validate(t.Context(), connection); problems != nil {
			t.Fatalf("%s gave %+v", each, problems)
		}
		connections = append(connections, connection)
	}
	if refused := d.Configure(t.Context(), connections); refused != nil {
		t.Fatalf("refused: %+v", refused)
	}
}

func (d *destination) deliver(payload string) connector.Result {
	return d.Send(context.Background(), connector.Delivery{ConnectionID: "p/0", Payload: []byte(payload)})
}

func (d *destination) expectOK(t *testing.T, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		if result := d.deliver(payload); result.Status != connector.ResultOK {
			t.Fatalf("%s gave %+v", payload, result)
		}
	}
}

func (d *destination) expectFile(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil || string(text) != want {
		t.Fatalf("%s has %q (%v), not %q", name, text, err, want)
	}
}

func TestEachMessageIsOneLineOfJSON(t *testing.T) {
	d := open(t, t.TempDir(), `{"path":"a/b/orders.ndjson"}`)
	d.expectOK(t, "{\"a\":\n  [1, 2]\n}", `"x"`)
	d.expectFile(t, "a/b/orders.ndjson", "{\"a\":[1,2]}\n\"x\"\n")
	if result := d.deliver("not json"); result.Status != connector.ResultPermanent || result.Code != "not_json" {
		t.Fatalf("it gave %+v", result)
	}
}

func TestARawMessageIsWrittenAsItIs(t *testing.T) {
	d := open(t, t.TempDir(), `{"path":"x.log","format":"raw","fsync":"none"}`)
	d.expectOK(t, "any {thing", "")
	d.expectFile(t, "x.log", "any {thing\n\n")
}

func TestMessagesThatComeTogetherAreAllWrittenOnceAndWhole(t *testing.T) {
	d := open(t, t.TempDir(), `{"path":"all","rotateBytes":2048,"keep":1000}`)
	const count = 500
	var wg sync.WaitGroup
	for i := range count {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if result := d.deliver(fmt.Sprintf(`{"n":%d,"fill":"%s"}`, i, strings.Repeat("x", i%50))); result.Status != connector.ResultOK {
				t.Errorf("%d gave %+v", i, result)
			}
		}()
	}
	wg.Wait()
	seen := map[int]bool{}
	files, _ := filepath.Glob(filepath.Join(d.dir, "all*"))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		if len(text) > 2048 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
		for line := range strings.Lines(string(text)) {
			var read struct{ N int }
			if err := json.Unmarshal([]byte(line), &read); err != nil || seen[read.N] {
				t.Fatalf("%s: %q is broken or there twice (%v)", name, line, err)
			}
			seen[read.N] = true
		}
	}
	if len(seen) != count || len(files) < 5 {
		t.Fatalf("%d messages are in %d files", len(seen), len(files))
	}
}

func TestAFullFileIsFollowedByTheNextAndTheOldestGo(t *testing.T) {
	d := open(t, t.TempDir(), `{"path":"row","rotateBytes":1024,"keep":2}`)
	text := func(i int) string { return fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 600)) }
	d.expectOK(t, text(0), text(1), text(2))
	names := []string{}
	entries, _ := os.ReadDir(d.dir)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if !slices.Equal(names, []string{"row.1", "row.2"}) {
		t.Fatalf("there are %v", names)
	}
	// Another process goes on where this one was.
	d.Drain(t.Context())
	again := open(t, d.dir, `{"path":"row","rotateBytes":1024,"keep":2}`)
	again.expectOK(t, `1`)
	again.expectFile(t, "row.2", text(2)+"\n1\n")
}

func TestHalfALineOfACrashIsNotReadAsAMessage(t *testing.T) {
	for before, after := range map[string]string{"{\"a\":1}\n{\"b\"": "{\"a\":1}\n2\n", "{\"b\"": "2\n", "": "2\n", "1\n": "1\n2\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "torn"), []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, dir, `{"path":"torn"}`)
		d.expectOK(t, "2")
		d.expectFile(t, "torn", after)
	}
}

func TestNothingLeadsOutOfTheFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	c := newConnector(dir)
	problem := func(settings string) string {
		problems := c.Validate(t.Context(), connector.Connection{Role: connector.RoleDestination, Settings: json.RawMessage(settings)})
		if len(problems) != 1 {
			return fmt.Sprint(problems)
		}
		return problems[0].Path + ": " + problems[0].Message
	}
	for _, path := range []string{"../x", "/etc/x", "a/../../x", "a//b", "a/", ".x", "a/.x", `a\\x`, "a\\u0000", strings.Repeat("a", 201)} {
		if got := problem(`{"path":"` + path + `"}`); !strings.HasPrefix(got, "/path: A path has letters") {
			t.Errorf("%s gave %s", path, got)
		}
	}
	for link, target := range map[string]string{"out": outside, "file": filepath.Join(outside, "file"), "inside": "."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"out/x":    "/path: out is a link on the node",
		"file":     "/path: file is a link on the node",
		"inside/x": "/path: inside is a link on the node",
		"folder":   "/path: folder is not a file on the node.",
	} {
		if got := problem(`{"path":"` + path + `"}`); !strings.HasPrefix(got, want) {
			t.Errorf("%s gave %s", path, got)
		}
	}
	// A link that is made after the settings were checked.
	d := open(t, dir, `{"path":"later/x"}`)
	if err := os.Symlink(outside, filepath.Join(dir, "later")); err != nil {
		t.Fatal(err)
	}
	if result := d.deliver("1"); result.Status != connector.ResultPermanent || result.Code != "not_a_file" {
		t.Fatalf("it gave %+v", result)
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Fatalf("something was written outside: %v", entries)
	}
}

func TestWithoutAFolderOnlyTheLogCanBeWrittenTo(t *testing.T) {
	c := newConnector("")
	problems := c.Validate(t.Context(), connector.Connection{Role: connector.RoleDestination, Settings: json.RawMessage(`{"path":"x"}`)})
	if len(problems) != 1 || problems[0].Path != "/to" {
		t.Fatalf("it gave %+v", problems)
	}
	if problems := c.Validate(t.Context(), connector.Connection{Role: connector.RoleDestination, Settings: json.RawMessage(`{"to":"stdout"}`)}); problems != nil {
		t.Fatalf("it gave %+v", problems)
	}
}

func TestAFolderThatIsNotThereYetIsNoFaultOfTheSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	d := open(t, dir, `{"path":"x"}`)
	if result := d.deliver("1"); result.Status != connector.ResultRetryable || result.Code != "write_failed" {
		t.Fatalf("it gave %+v", result)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.expectOK(t, "1")
	d.expectFile(t, "x", "1\n")
}

func TestWhetherTheFolderCanBeWrittenToIsTriedWithoutATrace(t *testing.T) {
	dir := t.TempDir()
	c := newConnector(dir)
	connection := connector.Connection{Role: connector.RoleDestination, Settings: json.RawMessage(`{"path":"a/b"}`)}
	if checks := c.Test(t.Context(), connection); len(checks) != 1 || !checks[0].Passed {
		t.Fatalf("it gave %+v", checks)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Fatalf("it left %v", entries)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if checks := c.Test(t.Context(), connection); checks[0].Passed {
		t.Fatalf("it gave %+v", checks)
	}
}

func TestTwoDestinationsShareAFileOnlyWithTheSameSettings(t *testing.T) {
	d := open(t, t.TempDir(), `{"path":"x"}`, `{"path":"x"}`)
	d.expectOK(t, "1")
	connections := []connector.Connection{
		{ID: "p/0", Role: connector.RoleDestination, Settings: json.RawMessage(`{"path":"x","keep":3}`)},
		{ID: "p/1", Role: connector.RoleDestination, Settings: json.RawMessage(`{"path":"x"}`)},
	}
	refused := d.Configure(t.Context(), connections)
	if len(refused) != 1 || refused[0].ConnectionID != "p/1" || refused[0].Errors[0].Path != "/path" {
		t.Fatalf("refused: %+v", refused)
	}
	// The new settings take the place of the old ones, and the file goes on.
	d.expectOK(t, "2")
	d.expectFile(t, "x", "1\n2\n")
}

func TestAFileThatAnotherProcessWritesIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, `{"path":"x"}`)
	first.expectOK(t, "1")
	second := open(t, dir, `{"path":"x"}`)
	if result := second.deliver("2"); result.Status != connector.ResultRetryable || result.Code != "file_in_use" {
		t.Fatalf("it gave %+v", result)
	}
	first.Drain(t.Context())
	if result := first.deliver("3"); result.Status != connector.ResultRetryable {
		t.Fatalf("it gave %+v", result)
	}
	second.expectOK(t, "2")
	second.expectFile(t, "x", "1\n2\n")
}
