package mapping

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/render"
)

// maxLink is what Zabbix cuts the value of a tag at, in characters.
const maxLink = 255

// Link makes the address of an alarm in COC's console. It is safe for
// concurrent use.
type Link struct{ template *render.Template }

// linkData is what the template sees. No text in it is the sender's own, so
// nothing in a link needs to be escaped.
type linkData struct {
	AlarmID  string // as COC knows the alarm
	Receiver string // the configured receiver's name
}

// NewLink compiles the template; empty means that there are no links.
func NewLink(template string) (*Link, error) {
	if template == "" {
		return &Link{}, nil
	}
	set, err := render.New()
	if err != nil {
		return nil, err
	}
	t, err := set.Compile("template", template)
	if err != nil {
		return nil, err
	}
	l := &Link{t}
	if err := l.check(); err != nil {
		return nil, err
	}
	return l, nil
}

// check makes the longest link that there can be.
func (l *Link) check() error {
	text, err := l.template.Execute(linkData{AlarmID: strings.Repeat("0", 32), Receiver: strings.Repeat("r", 63)})
	if err != nil {
		return fmt.Errorf("%w; the template sees .AlarmID and .Receiver", err)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(text, " \t\r\n") {
		return errors.New("it makes no link; write it like https://console.huaweicloud.com/coc/?alarm={{ .AlarmID }}")
	}
	if len(text) > maxLink {
		return fmt.Errorf("it makes a link of %d characters, but Zabbix keeps only %d; shorten it", len(text), maxLink)
	}
	return nil
}

// Of returns the link to an alert's alarm; empty if there are no links.
func (l *Link) Of(a alert.Alert) string {
	if l.template == nil {
		return ""
	}
	// NewLink has executed it, and nothing in the data can make it fail.
	text, _ := l.template.Execute(linkData{AlarmID: a.AlarmID(), Receiver: a.Receiver})
	return text
}
