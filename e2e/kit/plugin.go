package kit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Said is what a command wrote and how it ended.
type Said struct {
	Out  []byte
	Err  string
	Code int
}

// Programs is the folder of what make build made; FUNCTIONKEY_BIN names another.
func Programs(t testing.TB) string {
	t.Helper()
	if folder := os.Getenv("FUNCTIONKEY_BIN"); folder != "" {
		return folder
	}
	return filepath.Join(Root(t), "build", "bin")
}

// PluginCommand is kubectl functionkey, with env added to ours, not started.
func PluginCommand(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(Programs(t), "kubectl-functionkey"), args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// Plugin runs kubectl functionkey as a person does.
func Plugin(t testing.TB, stdin io.Reader, env []string, args ...string) Said {
	t.Helper()
	cmd := PluginCommand(t, env, args...)
	cmd.Stdin = stdin
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("make build first: %v", err)
	}
	return Said{out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Says fails the test unless the command ended with code and printed the parts, wherever.
func (s Said) Says(t testing.TB, what string, code int, parts ...string) {
	t.Helper()
	s.check(t, what, code, string(s.Out)+s.Err, parts)
}

// Is fails the test unless the command ended with code, wrote just out, and said the parts as errors.
func (s Said) Is(t testing.TB, what string, code int, out []byte, parts ...string) {
	t.Helper()
	if !bytes.Equal(s.Out, out) {
		t.Errorf("%s: %d bytes, not %d\n%.300q\n%s", what, len(s.Out), len(out), s.Out, s.Err)
	}
	s.check(t, what, code, s.Err, parts)
}

func (s Said) check(t testing.TB, what string, code int, text string, parts []string) {
	t.Helper()
	if s.Code != code {
		t.Errorf("%s: exit code %d, not %d\n%.300q\n%s", what, s.Code, code, s.Out, s.Err)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: does not say %q\n%.300q\n%s", what, part, s.Out, s.Err)
		}
	}
}
