// Package scenario runs named checks and reports each as one JSON line.
package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"
)

// Limit bounds one scenario. It only ends hung ones: nothing here measures speed.
const Limit = 3 * time.Minute

// Scenario is one check. Run returns what was seen, or why it is not as it should be.
type Scenario struct {
	Name string
	Run  func(ctx context.Context) (detail string, err error)
}

// Result is what one scenario prints.
type Result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Run runs one scenario within Limit. A hung one is reported and its goroutines are left behind.
func Run(s Scenario) Result {
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	done := make(chan Result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- Result{Name: s.Name, Detail: fmt.Sprintf("panic: %v\n%s", r, debug.Stack())}
			}
		}()
		detail, err := s.Run(ctx)
		if err != nil {
			done <- Result{Name: s.Name, Detail: err.Error()}
			return
		}
		done <- Result{Name: s.Name, OK: true, Detail: detail}
	}()
	select {
	case result := <-done:
		return result
	case <-ctx.Done():
		return Result{Name: s.Name, Detail: fmt.Sprintf("no result within %v", Limit)}
	}
}

// Print writes one JSON line to standard output.
func Print(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

// Main runs the wanted scenarios in their order (all of them when none is named) and returns the exit code.
// The single name "list" prints the names instead.
func Main(all []Scenario, wanted []string) int {
	if len(wanted) == 1 && wanted[0] == "list" {
		names := []string{}
		for _, s := range all {
			names = append(names, s.Name)
		}
		Print(names)
		return 0
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(s Scenario) bool { return s.Name == name }) {
			fmt.Fprintf(os.Stderr, "unknown scenario %q\n", name)
			return 2
		}
	}
	code := 0
	for _, s := range all {
		if len(wanted) > 0 && !slices.Contains(wanted, s.Name) {
			continue
		}
		result := Run(s)
		Print(result)
		if !result.OK {
			code = 1
		}
	}
	return code
}
