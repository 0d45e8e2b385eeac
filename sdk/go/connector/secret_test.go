package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestNoWayOfPrintingASecretShowsItsValue(t *testing.T) {
	const value = "hunter2"
	secret := NewSecret("api", []string{"a.test"}, value)
	version := secret.Newest()
	hidden := struct {
		secret  Secret
		version *SecretVersion
		all     []SecretVersion
	}{secret, &version, secret.Versions()}
	connection := Connection{Secrets: map[string]Secret{"api": secret}}
	var shown strings.Builder
	for _, thing := range []any{secret, &secret, version, &version, hidden, &hidden, connection, &connection, []any{secret, version}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%b", "%T"} {
			fmt.Fprintf(&shown, verb+"\n", thing)
		}
		text, err := json.Marshal(thing)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
		slog.New(slog.NewTextHandler(&shown, nil)).Info("said", "thing", thing)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("said", "thing", thing)
		hclog.New(&hclog.LoggerOptions{Output: &shown}).Info("said", "thing", thing)
		hclog.New(&hclog.LoggerOptions{Output: &shown, JSONFormat: true}).Info("said", "thing", thing)
	}
	for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprint([]byte(value)), fmt.Sprintf("%#v", []byte(value)), "aHVudGVyMg"} {
		if strings.Contains(shown.String(), form) {
			t.Fatalf("%q is shown in\n%s", form, shown.String())
		}
	}
	if fmt.Sprintf("%v %#v", secret, version) != "[secret api] [version 1 of a secret]" {
		t.Fatalf("another text is shown: %v %#v", secret, version)
	}
}

func TestASecretHasItsVersionsTheNewestFirst(t *testing.T) {
	secret := NewSecret("api", nil, "new", "old")
	if secret.Newest().Text() != "new" || secret.Newest().Number() != 2 || string(secret.Versions()[1].Bytes()) != "old" {
		t.Fatal("other versions came")
	}
	secret.Newest().Bytes()[0] = 'X'
	if !bytes.Equal(secret.Newest().Bytes(), []byte("new")) {
		t.Fatal("a copy of the value changed the value")
	}
}

func TestReferencesAreFoundWhereverTheyAre(t *testing.T) {
	settings := json.RawMessage(`{"a":{"$secret":"one"},"b/c":[1,{"d":{"$secret":"two"}}],"e":{"$secret":"x","more":1},"f":{"$secret":2}}`)
	problems := missingSecrets(settings, map[string]Secret{"one": {}})
	if len(problems) != 1 || problems[0].Path != "/b~1c/1/d" || problems[0].Message != "There is no secret with the name two." {
		t.Fatalf("other references came: %+v", problems)
	}
}
