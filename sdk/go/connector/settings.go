package connector

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// ReadSettings reads settings into a struct: each field that is there, by its json tag; the others keep what they have, which is
// the way to give defaults, and a pointer tells whether it was there. It answers every problem at its field: settings that the
// struct does not have, values of another type, null where there is a value to be, and those of the fields named in required that
// are missing.
func ReadSettings(settings json.RawMessage, into any, required ...string) []FieldError {
	var given map[string]json.RawMessage
	if json.Unmarshal(settings, &given) != nil || given == nil {
		return []FieldError{{Message: "The settings are an object."}}
	}
	target := reflect.ValueOf(into).Elem()
	var problems []FieldError
	for name, text := range given {
		field, ok := fieldByTag(target, name)
		if !ok {
			problems = append(problems, FieldError{Path: "/" + escapePointer(name), Message: "There is no such setting."})
			continue
		}
		err := json.Unmarshal(text, field.Addr().Interface())
		if string(text) == "null" {
			err = refuseNull(field.Type())
		}
		if err != nil {
			problems = append(problems, wrongType(name, err))
		}
	}
	for _, name := range required {
		if _, ok := given[name]; !ok {
			problems = append(problems, FieldError{Path: "/" + escapePointer(name), Message: "This is required."})
		}
	}
	slices.SortFunc(problems, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

func fieldByTag(target reflect.Value, name string) (reflect.Value, bool) {
	for i := range target.NumField() {
		tag, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		if tag == name {
			return target.Field(i), true
		}
	}
	return reflect.Value{}, false
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// refuseNull: package json would leave a field as it is, and a setting that is there without a value is a mistake. What can hold
// anything can hold null.
func refuseNull(kind reflect.Type) error {
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind.Kind() == reflect.Interface || kind == rawMessage:
		return nil
	case kind == reflect.TypeFor[SecretRef]():
		return errNoReference
	default:
		return &json.UnmarshalTypeError{Type: kind}
	}
}

func wrongType(name string, err error) FieldError {
	problem := FieldError{Path: "/" + escapePointer(name), Message: "This is of another type."}
	if errors.Is(err, errNoReference) {
		problem.Message = err.Error()
		return problem
	}
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return problem
	}
	if wrong.Field != "" {
		problem.Path += "/" + strings.ReplaceAll(wrong.Field, ".", "/")
	}
	problem.Message = "This must be " + kindWords(wrong.Type) + "."
	return problem
}

func kindWords(kind reflect.Type) string {
	switch kind.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}
