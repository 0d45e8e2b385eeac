package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a sandbox may have no time zones

	"github.com/robfig/cron/v3"

	"vrsky/sdk/go/connector"
)

const (
	everyLeast   = 10 * time.Millisecond
	everyMost    = 744 * time.Hour
	jitterMost   = time.Hour
	payloadMost  = 65536
	shownFirings = 5
)

type sourceSettings struct {
	Every    string `json:"every"`
	Cron     string `json:"cron"`
	TimeZone string `json:"timeZone"`
	Jitter   string `json:"jitter"`
	Payload  string `json:"payload"`
}

// schedule is when to tick and what to say.
type schedule struct {
	// next is the first tick after a time; the zero time when there is none.
	next    func(after time.Time) time.Time
	jitter  time.Duration
	payload string
}

// readSchedule reads settings, and says of each field what is wrong with it.
func readSchedule(settings json.RawMessage) (schedule, []connector.FieldError) {
	read := sourceSettings{TimeZone: "UTC", Jitter: "0s", Payload: `{"id": "{{id}}", "scheduledAt": "{{scheduledAt}}"}`}
	problems := connector.ReadSettings(settings, &read)
	if problems != nil {
		return schedule{}, problems
	}
	refuse := func(path, message string) {
		problems = append(problems, connector.FieldError{Path: path, Message: message})
	}
	made := schedule{payload: read.Payload}
	zone, err := time.LoadLocation(read.TimeZone)
	if err != nil || read.TimeZone == "" || read.TimeZone == "Local" {
		refuse("/timeZone", "There is no such time zone: write it like Europe/Oslo.")
		zone = time.UTC
	}
	var every time.Duration
	switch {
	case read.Every == "" && read.Cron == "":
		refuse("/every", "Enter an interval or a cron expression.")
	case read.Every != "" && read.Cron != "":
		refuse("/cron", "Enter an interval or a cron expression, not both.")
	case read.Every != "":
		every, err = time.ParseDuration(read.Every)
		if err != nil || every < everyLeast || every > everyMost {
			refuse("/every", "An interval is a time from 10ms to 744h, like 10s, 5m or 1h30m.")
		} else {
			made.next = func(after time.Time) time.Time { return after.UTC().Truncate(every).Add(every) }
		}
	default:
		if next, problem := readCron(read.Cron, zone); problem != "" {
			refuse("/cron", problem)
		} else {
			made.next = next
		}
	}
	made.jitter, err = time.ParseDuration(read.Jitter)
	switch {
	case err != nil || made.jitter < 0 || made.jitter > jitterMost:
		refuse("/jitter", "Jitter is a time from 0s to 1h, like 30s.")
	case every > 0 && made.jitter >= every:
		refuse("/jitter", "Jitter must be less than the interval.")
	}
	if problem := checkPayload(read.Payload); problem != "" {
		refuse("/payload", problem)
	}
	return made, problems
}

var (
	cronFields = regexp.MustCompile(`^\S+( +\S+){4}$`)
	cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
)

// readCron reads five fields; a zone in the expression would hide the one beside it.
func readCron(text string, zone *time.Location) (next func(time.Time) time.Time, problem string) {
	if !cronFields.MatchString(text) || strings.Contains(text, "TZ=") {
		return nil, "A cron expression has five fields: minute, hour, day of month, month, day of week."
	}
	read, err := cronParser.Parse(text)
	if err != nil {
		return nil, "This cron expression cannot be read: " + err.Error() + "."
	}
	next = func(after time.Time) time.Time { return read.Next(after.In(zone)) }
	if next(time.Now()).IsZero() {
		return nil, "This never comes: there is no such day in the next five years."
	}
	return next, ""
}

var placeholder = regexp.MustCompile(`\{\{\s*(\w*)\s*\}\}`)

func checkPayload(template string) (problem string) {
	if len(template) > payloadMost {
		return "The payload has at most 65,536 characters."
	}
	for _, found := range placeholder.FindAllStringSubmatch(template, -1) {
		switch found[1] {
		case "id", "scheduledAt", "firedAt":
		default:
			return fmt.Sprintf("There is no {{%s}}: there are {{id}}, {{scheduledAt}} and {{firedAt}}.", found[1])
		}
	}
	if !json.Valid(fill(template, "id", time.Now(), time.Now())) {
		return "The payload is not JSON: placeholders stand inside of quotes."
	}
	return ""
}

// fill puts the words of one tick in.
func fill(template, id string, scheduledAt, firedAt time.Time) []byte {
	return []byte(placeholder.ReplaceAllStringFunc(template, func(found string) string {
		switch strings.Trim(found, "{} \t\r\n") {
		case "id":
			quoted, _ := json.Marshal(id) // a string can always be said in JSON
			return string(quoted[1 : len(quoted)-1])
		case "scheduledAt":
			return scheduledAt.Format(time.RFC3339Nano)
		default:
			return firedAt.UTC().Format(time.RFC3339Nano)
		}
	}))
}

// testSchedule shows when it would tick.
func testSchedule(settings json.RawMessage) []connector.Check {
	return []connector.Check{connector.RunCheck("Work out the next five times", func() (string, error) {
		read, _ := readSchedule(settings) // it has passed Validate
		var times []string
		at := time.Now()
		for range shownFirings {
			if at = read.next(at); at.IsZero() {
				break
			}
			times = append(times, at.Format("2006-01-02 15:04:05.999 MST"))
		}
		return strings.Join(times, ", ") + ".", nil
	})}
}
