package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// isLive says whether what is written can be written over: a person watches.
func isLive(w io.Writer) bool {
	if t, ok := w.(interface{ IsTerminal() bool }); ok {
		return t.IsTerminal()
	}
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

// confirm returns nil only if a person, or --yes, has said yes.
func (s session) confirm(question string) error {
	if s.yes {
		return nil
	}
	if !s.asks {
		return fmt.Errorf("%w: nobody can be asked here (%s?); add --yes if you mean it", errUsage, question)
	}
	fmt.Fprintf(s.stderr, "%s? [y/N] ", question)
	answer, _ := bufio.NewReader(s.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("%w: not confirmed; nothing was done", errUsage)
}
