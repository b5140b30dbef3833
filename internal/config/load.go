package config

import (
	"fmt"
	"reflect"
)

// Options say where a configuration comes from.
type Options struct {
	// File is the configuration file; empty = none, which is enough for a
	// sidecar.
	File string
	// Environ holds NAME=value pairs as os.Environ returns them. It is the whole
	// list, so that a misspelt variable of ours is noticed.
	Environ   []string
	Overrides Overrides
}

// Overrides are flags; an empty one was not given.
type Overrides struct {
	StoragePath        string // --storage.path
	WebListenAddress   string // --web.listen-address
	AdminListenAddress string // --admin.listen-address
	LogLevel           string // --log.level
}

// Load reads a configuration: flags win over the environment, that over the
// file, that over the defaults. The error is an *Error with all problems.
// Relative names of files are taken from the folder of the configuration file,
// or from the working folder when a variable holds them. Load keeps nothing and
// may be called again at any time.
func Load(o Options) (*Config, error) {
	l := &loader{file: o.File, config: Default(), lines: map[string]int{}, sources: map[string]string{}, failed: map[string]bool{}}
	if o.File != "" {
		l.readConfig()
	}
	l.overlayEnvironment(o.Environ)
	l.overlayFlags(o.Overrides)
	if !l.unreadable {
		l.readTwins(reflect.ValueOf(&l.config).Elem(), "")
		l.refusePlaceholders(reflect.ValueOf(&l.config).Elem(), "")
		l.checkTemplates()
		l.config.validate(func(path, text string) {
			if !l.isFailed(path) {
				l.report(path, text)
			}
		})
	}
	if err := newError(l.problems); err != nil {
		return nil, err
	}
	return &l.config, nil
}

// loader is one run of Load.
type loader struct {
	file       string
	config     Config
	unreadable bool              // nothing is known about what the file says
	lines      map[string]int    // path -> line of the file
	sources    map[string]string // path -> the variable or flag that set it
	failed     map[string]bool   // paths whose value could not be read
	problems   []Problem
}

func (l *loader) readConfig() {
	data, _, err := readFile(l.file, maxFile)
	if err != nil {
		l.unreadable = true
		l.problems = append(l.problems, Problem{Text: "reading the configuration: " + err.Error()})
		return
	}
	root, problem := parse(data)
	if problem != nil {
		l.unreadable = true
		problem.File = l.file
		l.problems = append(l.problems, *problem)
		return
	}
	if root == nil {
		return
	}
	d := decoder{lines: l.lines, failed: l.failed}
	d.value(root, reflect.ValueOf(&l.config).Elem(), "")
	l.fillReceivers()
	for _, p := range d.problems {
		p.File = l.file
		l.problems = append(l.problems, p)
	}
}

func (l *loader) checkTemplates() {
	const path = "mapping.templates"
	for i, name := range l.config.Mapping.Templates {
		at := fmt.Sprintf("%s[%d]", path, i)
		l.config.Mapping.Templates[i] = l.checkFile(name, at)
		l.failed[path] = l.failed[path] || l.failed[at]
	}
}

// fillReceivers gives each receiver what follows from its name and type. What is
// wrong with such a path is wrong with the name.
func (l *loader) fillReceivers() {
	for i := range l.config.Receivers {
		r := &l.config.Receivers[i]
		if r.Path == "" {
			l.failed[fmt.Sprintf("receivers[%d].path", i)] = true
		}
		r.Fill()
	}
}

func (l *loader) overlayFlags(o Overrides) {
	for _, f := range []struct {
		value, name, path string
		target            *string
	}{
		{o.StoragePath, "--storage.path", "store.path", &l.config.Store.Path},
		{o.WebListenAddress, "--web.listen-address", "web_listen_address", &l.config.WebListenAddress},
		{o.AdminListenAddress, "--admin.listen-address", "admin_listen_address", &l.config.AdminListenAddress},
		{o.LogLevel, "--log.level", "log_level", &l.config.LogLevel},
	} {
		if f.value != "" {
			*f.target = f.value
			l.sources[f.path] = "flag " + f.name
		}
	}
}

// report adds a problem and finds the place it comes from.
func (l *loader) report(path, text string) {
	file, line := l.locate(path)
	l.problems = append(l.problems, Problem{File: file, Line: line, Path: path, Text: text})
}

// isFailed says whether a value that could not be read, or its file, has been
// reported: there is no use in calling it missing as well.
func (l *loader) isFailed(path string) bool {
	for p := path; p != ""; p = parent(p) {
		if l.failed[p] || l.failed[p+"_file"] {
			return true
		}
	}
	return l.failed[""]
}

// locate returns the variable or flag that set a value, else the line of the
// file that is nearest to it.
func (l *loader) locate(path string) (file string, line int) {
	for p := path; p != ""; p = parent(p) {
		if source := l.sources[p]; source != "" {
			return source, 0
		}
		if line := l.lines[p]; line > 0 {
			return l.file, line
		}
	}
	if name := variableFor(path); l.file == "" && name != "" {
		return "environment " + name, 0
	}
	return l.file, 0
}
