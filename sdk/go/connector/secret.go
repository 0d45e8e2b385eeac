package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// SecretRef is a reference to a secret, as settings have it: {"$secret": "<name>"}. In the settings' schema the property has
// "x-vrsky": "secret", so that the console offers the names; SecretSchema is such a property.
type SecretRef struct {
	Name string `json:"$secret"`
}

var errNoReference = errors.New("Choose a secret.")

// UnmarshalJSON takes a reference and nothing else: a value that somebody enters in its place goes no further.
func (r *SecretRef) UnmarshalJSON(text []byte) error {
	var read map[string]any
	if json.Unmarshal(text, &read) != nil {
		return errNoReference
	}
	name, ok := read["$secret"].(string)
	if !ok || name == "" || len(read) != 1 {
		return errNoReference
	}
	r.Name = name
	return nil
}

// SecretSchema is the JSON Schema of a property that refers to a secret.
func SecretSchema(title, description string) json.RawMessage {
	text, err := json.Marshal(map[string]any{
		"type":                 "object",
		"title":                title,
		"description":          description,
		"x-vrsky":              "secret",
		"properties":           map[string]any{"$secret": map[string]any{"type": "string", "minLength": 1}},
		"required":             []string{"$secret"},
		"additionalProperties": false,
	})
	if err != nil {
		panic(err) // strings alone
	}
	return text
}

// Secret is a secret that settings refer to. It shows its name and never a value, however it is printed.
type Secret struct {
	name     string
	hosts    []string
	versions []SecretVersion
}

// NewSecret makes a secret of values, the newest first, for tests.
func NewSecret(name string, hosts []string, values ...string) Secret {
	secret := Secret{name: name, hosts: hosts}
	for i, value := range values {
		secret.versions = append(secret.versions, newSecretVersion(uint32(len(values)-i), []byte(value)))
	}
	return secret
}

// Name is what settings call it.
func (s Secret) Name() string { return s.name }

// Hosts are the names of the hosts to which a value may be sent; none for a secret that is only compared with.
func (s Secret) Hosts() []string { return slices.Clone(s.hosts) }

// Newest is the version to sign and send with. A secret that a connection has is never without one.
func (s Secret) Newest() SecretVersion { return s.versions[0] }

// Versions are all that are valid now, the newest first: accept any of them.
func (s Secret) Versions() []SecretVersion { return slices.Clone(s.versions) }

func (s Secret) String() string { return "[secret " + s.name + "]" }

// GoString is what %#v prints.
func (s Secret) GoString() string { return s.String() }

// Format answers every verb of package fmt.
func (s Secret) Format(state fmt.State, _ rune) { fmt.Fprint(state, s.String()) }

// MarshalJSON keeps the values out of JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText keeps the values out of every other encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the values out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SecretVersion is one value of a secret. It shows its number and never the value, however it is printed.
type SecretVersion struct {
	number uint32
	// A function, because package fmt prints the bytes of a field that is not exported without asking anybody.
	value func() []byte
}

func newSecretVersion(number uint32, value []byte) SecretVersion {
	return SecretVersion{number: number, value: func() []byte { return value }}
}

// Number counts the values that the secret has had.
func (v SecretVersion) Number() int { return int(v.number) }

// Bytes is the value. Keep it where nothing prints it.
func (v SecretVersion) Bytes() []byte { return slices.Clone(v.value()) }

// Text is the value as text.
func (v SecretVersion) Text() string { return string(v.value()) }

func (v SecretVersion) String() string {
	return "[version " + strconv.Itoa(int(v.number)) + " of a secret]"
}

// GoString is what %#v prints.
func (v SecretVersion) GoString() string { return v.String() }

// Format answers every verb of package fmt.
func (v SecretVersion) Format(state fmt.State, _ rune) { fmt.Fprint(state, v.String()) }

// MarshalJSON keeps the value out of JSON.
func (v SecretVersion) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// MarshalText keeps the value out of every other encoding.
func (v SecretVersion) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// LogValue keeps the value out of logs.
func (v SecretVersion) LogValue() slog.Value { return slog.StringValue(v.String()) }

// missingSecrets has a problem for each reference in settings to a secret that is not given.
func missingSecrets(settings json.RawMessage, given map[string]Secret) []FieldError {
	var read any
	if json.Unmarshal(settings, &read) != nil {
		return nil // said elsewhere
	}
	var problems []FieldError
	eachSecretRef(read, "", func(path, name string) {
		if _, ok := given[name]; !ok {
			problems = append(problems, FieldError{Path: path, Message: "There is no secret with the name " + name + "."})
		}
	})
	slices.SortFunc(problems, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

func eachSecretRef(value any, path string, visit func(path, name string)) {
	switch value := value.(type) {
	case map[string]any:
		if name, ok := value["$secret"].(string); ok && len(value) == 1 {
			visit(path, name)
			return
		}
		for key, item := range value {
			eachSecretRef(item, path+"/"+escapePointer(key), visit)
		}
	case []any:
		for i, item := range value {
			eachSecretRef(item, path+"/"+strconv.Itoa(i), visit)
		}
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer makes a key one step of a JSON Pointer (RFC 6901).
func escapePointer(key string) string { return pointerEscapes.Replace(key) }
