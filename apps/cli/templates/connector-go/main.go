package main

import (
	"flag"
	"fmt"

	"vrsky/sdk/go/connector"
)

const name = "{name}"

// The build puts the version of vrsky.json in.
var version = "0.0.0-source"

var log = connector.NewLog(name)

func main() {
	asked := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *asked {
		fmt.Println(version)
		return
	}
	connector.Serve(newCounter())
}
