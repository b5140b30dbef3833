package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
)

const (
	maxSecret = 64 << 10 // bytes of a secret's file
	maxOther  = 1 << 20  // bytes of certificate authorities or templates
)

// readTwins walks v. Where a struct has X and XFile, it puts the content of the
// file XFile into X; a file without such a sibling is only checked. Names of
// files are resolved against folder, in place.
func (l *loader) readTwins(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			l.readTwins(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for _, f := range keysOf(v.Type()) {
			at := join(path, f.key)
			value, owner := v.FieldByIndex(f.index), v.FieldByIndex(f.index[:len(f.index)-1])
			if name, ok := strings.CutSuffix(v.Type().FieldByIndex(f.index).Name, "File"); ok && value.Kind() == reflect.String {
				l.readTwin(owner.FieldByName(name), value, at)
			} else {
				l.readTwins(value, at)
			}
		}
	}
}

// readTwin handles one pair; text is invalid where the file has no twin.
func (l *loader) readTwin(text, file reflect.Value, path string) {
	switch {
	case file.String() == "":
	case !text.IsValid():
		file.SetString(l.checkFile(file.String(), path))
	case text.String() != "":
		key := path[strings.LastIndex(path, ".")+1:]
		l.report(path, fmt.Sprintf("give either %s or %s, not both", strings.TrimSuffix(key, "_file"), key))
	default:
		file.SetString(l.resolve(file.String()))
		text.SetString(l.readSecret(file.String(), path))
	}
}

func (l *loader) reportFile(path string, err error) {
	l.failed[path] = true
	l.report(path, err.Error())
}

// readSecret returns the lines of a file without the space around them and
// without empty ones.
func (l *loader) readSecret(file, path string) string {
	data, mode, err := readFile(file, maxSecret)
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	switch {
	case err != nil:
		l.reportFile(path, err)
	case len(lines) == 0:
		l.reportFile(path, fmt.Errorf("%s is empty; write the secret into it", file))
	case mode.Perm()&0o077 != 0:
		l.config.Warnings = append(l.config.Warnings, fmt.Sprintf("%s: %s can be opened by other users (mode %04o); chmod 600 it", path, file, mode.Perm()))
	}
	l.config.files = append(l.config.files, file)
	return strings.Join(lines, "\n")
}

// checkFile returns the file's resolved name, for those who read it later.
func (l *loader) checkFile(file, path string) string {
	file = l.resolve(file)
	if _, _, err := readFile(file, maxOther); err != nil {
		l.reportFile(path, err)
	}
	l.config.files = append(l.config.files, file)
	return file
}

func (l *loader) resolve(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(l.file), file)
}

// readFile reads a regular file of at most limit bytes. It never waits: a pipe
// or a device is refused, before and after it is opened.
func readFile(name string, limit int64) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = checkRegular(name, info)
	}
	if err != nil {
		return nil, 0, explain(name, err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, explain(name, err)
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err == nil {
		err = checkRegular(name, info)
	}
	if err != nil {
		return nil, 0, explain(name, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, 0, explain(name, err)
	case int64(len(data)) > limit:
		return nil, 0, fmt.Errorf("%s is larger than %d KiB; is it the right file?", name, limit>>10)
	}
	return data, info.Mode(), nil
}

func checkRegular(name string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a folder; name a file in it", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is a pipe, socket or device; name a regular file", name)
	}
	return nil
}

// explain words an error of the operating system.
func explain(name string, err error) error {
	var system *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s; create it or correct its name", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be read by this user; give it the right to", name)
	case errors.As(err, &system):
		return fmt.Errorf("reading %s: %w; look at the file and its disk", name, system.Err)
	}
	return err
}
