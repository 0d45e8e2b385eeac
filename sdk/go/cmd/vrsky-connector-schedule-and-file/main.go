// Command vrsky-connector-schedule-and-file is a connector with a source that is a clock (an interval or a cron expression) and a
// destination that is a file beneath VRSKY_DATA_DIR, or the node's log. It is also the reference of the Go SDK.
package main

import (
	"flag"
	"fmt"
	"os"

	"vrsky/sdk/go/connector"
)

// Set with -ldflags '-X main.version=1.2.3'.
var version = "1.0.0"

var log = connector.NewLog("schedule-and-file")

func main() {
	asked := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *asked {
		fmt.Println(version)
		return
	}
	connector.Serve(newConnector(os.Getenv("VRSKY_DATA_DIR")))
}
