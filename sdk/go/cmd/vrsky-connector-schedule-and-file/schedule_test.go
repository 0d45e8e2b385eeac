package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vrsky/sdk/go/connector"
)

func TestWhatIsWrongWithAScheduleIsSaidAtItsField(t *testing.T) {
	for settings, want := range map[string]string{
		`{}`:                                     "/every: Enter an interval or a cron expression.",
		`{"every":"10s","cron":"* * * * *"}`:     "/cron: Enter an interval or a cron expression, not both.",
		`{"every":"1ms"}`:                        "/every: An interval is a time from",
		`{"every":"often"}`:                      "/every: An interval is a time from",
		`{"every":5}`:                            "/every: This must be a text.",
		`{"cron":"* * * *"}`:                     "/cron: A cron expression has five fields",
		`{"cron":"61 * * * *"}`:                  "/cron: This cron expression cannot be read",
		`{"cron":"TZ=UTC * * * *"}`:              "/cron: A cron expression has five fields",
		`{"cron":"CRON_TZ=UTC * * * *"}`:         "/cron: A cron expression has five fields",
		`{"cron":"0 0 30 2 *"}`:                  "/cron: This never comes",
		`{"every":"1s","timeZone":"Mars/North"}`: "/timeZone: There is no such time zone",
		`{"every":"1s","timeZone":"Local"}`:      "/timeZone: There is no such time zone",
		`{"every":"1s","jitter":"2s"}`:           "/jitter: Jitter must be less than the interval.",
		`{"every":"1s","jitter":"-1s"}`:          "/jitter: Jitter is a time",
		`{"every":"1s","payload":"{{id}}"}`:      "/payload: The payload is not JSON",
		`{"every":"1s","payload":"\"{{x}}\""}`:   "/payload: There is no {{x}}",
		`{"every":"1s","more":1}`:                "/more: There is no such setting.",
		`[]`:                                     ": The settings are an object.",
	} {
		_, problems := readSchedule(json.RawMessage(settings))
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Path+": "+problems[0].Message, want) {
			t.Errorf("%s gave %+v, not %s", settings, problems, want)
		}
	}
}

func readGood(t *testing.T, settings string) schedule {
	t.Helper()
	read, problems := readSchedule(json.RawMessage(settings))
	if problems != nil {
		t.Fatalf("%s gave %+v", settings, problems)
	}
	return read
}

func TestTicksOfAnIntervalAreTheSameWheneverItWasStarted(t *testing.T) {
	next := readGood(t, `{"every":"10s"}`).next
	at := time.Date(2026, 1, 1, 12, 0, 3, 7, time.UTC)
	if want := time.Date(2026, 1, 1, 12, 0, 10, 0, time.UTC); !next(at).Equal(want) || !next(want).Equal(want.Add(10*time.Second)) {
		t.Fatalf("another tick came: %v", next(at))
	}
}

func TestACronExpressionFollowsItsTimeZone(t *testing.T) {
	next := readGood(t, `{"cron":"30 8 * * 1-5","timeZone":"Europe/Oslo"}`).next
	friday := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	// On the Sunday between, the clocks there went forward.
	if want := time.Date(2026, 3, 30, 6, 30, 0, 0, time.UTC); !next(friday).Equal(want) {
		t.Fatalf("another tick came: %v", next(friday))
	}
}

func TestAPayloadHasTheWordsOfItsTick(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	filled := fill(`{"i":"{{ id }}","s":"{{scheduledAt}}","f":"{{firedAt}}"}`, `a"b`, at, at.Add(time.Millisecond))
	if want := `{"i":"a\"b","s":"2026-01-01T12:00:00Z","f":"2026-01-01T12:00:00.001Z"}`; string(filled) != want {
		t.Fatalf("another payload came: %s", filled)
	}
}

func TestTheNextFiveTimesAreShown(t *testing.T) {
	checks := testSchedule(json.RawMessage(`{"cron":"0 12 * * *","timeZone":"Asia/Tokyo"}`))
	if len(checks) != 1 || !checks[0].Passed || strings.Count(checks[0].Detail, "12:00:00 JST") != 5 {
		t.Fatalf("another check came: %+v", checks)
	}
}

func TestTheSchemasAreJSONAndTheirExamplesAreGood(t *testing.T) {
	c := newConnector(t.TempDir())
	description := c.Describe()
	for role, text := range map[connector.Role]json.RawMessage{connector.RoleSource: description.SourceSettings, connector.RoleDestination: description.DestinationSettings} {
		var schema struct{ Examples []json.RawMessage }
		if err := json.Unmarshal(text, &schema); err != nil || len(schema.Examples) == 0 {
			t.Fatalf("%s: %v", role, err)
		}
		for _, example := range schema.Examples {
			if problems := c.Validate(t.Context(), connector.Connection{Role: role, Settings: example}); problems != nil {
				t.Errorf("%s gave %+v", example, problems)
			}
		}
	}
}
