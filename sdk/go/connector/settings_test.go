package connector

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type sampleSettings struct {
	Name  string    `json:"name"`
	Count int       `json:"count"`
	Ratio float64   `json:"ratio"`
	On    bool      `json:"on"`
	Tags  []string  `json:"tags"`
	Key   SecretRef `json:"key"`

	Maybe *SecretRef      `json:"maybe"`
	Limit *int            `json:"limit"`
	Any   json.RawMessage `json:"any"`
}

func TestSettingsKeepTheirDefaultsUnlessTheyAreGiven(t *testing.T) {
	read := sampleSettings{Name: "default", Count: 3}
	if problems := ReadSettings(json.RawMessage(`{"count":4,"key":{"$secret":"api"}}`), &read, "count"); problems != nil {
		t.Fatal(problems)
	}
	if want := (sampleSettings{Name: "default", Count: 4, Key: SecretRef{Name: "api"}}); !reflect.DeepEqual(read, want) {
		t.Fatalf("other settings came: %+v", read)
	}
}

func TestEveryProblemWithSettingsHasItsPointer(t *testing.T) {
	text := `{"name":1,"count":1.5,"ratio":"x","on":0,"tags":{},"key":{"$secret":1},"a/b":1}`
	problems := ReadSettings(json.RawMessage(text), &sampleSettings{})
	want := []FieldError{
		{"/a~1b", "There is no such setting."},
		{"/count", "This must be a whole number."},
		{"/key", "Choose a secret."},
		{"/name", "This must be a text."},
		{"/on", "This must be true or false."},
		{"/ratio", "This must be a number."},
		{"/tags", "This must be a list."},
	}
	if !reflect.DeepEqual(problems, want) {
		t.Fatalf("other problems came: %+v", problems)
	}
	for _, text := range []string{`null`, `[]`, `"x"`, `1`} {
		if problems := ReadSettings(json.RawMessage(text), &sampleSettings{}); len(problems) != 1 || problems[0].Path != "" {
			t.Fatalf("%s gave %+v", text, problems)
		}
	}
	nulls := ReadSettings(json.RawMessage(`{"name": null, "maybe": null, "limit": null, "any": null}`), &sampleSettings{})
	want = []FieldError{{"/limit", "This must be a whole number."}, {"/maybe", "Choose a secret."}, {"/name", "This must be a text."}}
	if !reflect.DeepEqual(nulls, want) {
		t.Fatalf("null gave %+v", nulls)
	}
	for _, text := range []string{`"hunter2"`, `{}`, `{"$secret":""}`, `{"$secret":"a","more":1}`, `null`, `[]`} {
		problems := ReadSettings(json.RawMessage(`{"key": `+text+`}`), &sampleSettings{})
		if len(problems) != 1 || problems[0].Path != "/key" || strings.Contains(problems[0].Message, "hunter2") {
			t.Fatalf("%s gave %+v", text, problems)
		}
	}
	missing := ReadSettings(json.RawMessage(`{}`), &sampleSettings{}, "name")
	if !reflect.DeepEqual(missing, []FieldError{{"/name", "This is required."}}) {
		t.Fatalf("other problems came: %+v", missing)
	}
}
