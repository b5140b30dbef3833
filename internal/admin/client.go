package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// maxLine bounds one line of a list; a task with its alert has at most some 600 KiB.
const maxLine = 8 << 20

const (
	dialTimeout = 5 * time.Second
	// answerTimeout bounds the wait for the beginning of an answer: why may have to
	// look through a long backlog.
	answerTimeout = time.Minute
)

// ClientOptions say which daemon to ask, and who asks.
type ClientOptions struct {
	Address string                        // of the admin listener: host:port, or unix:/path
	Token   func() (secret.String, error) // asked for before a change over TCP
	Actor   string                        // who asks; on a Unix socket the kernel says so
}

// Client asks a running daemon. It implements Operations; its methods may be
// called from any goroutine.
type Client struct {
	o    ClientOptions
	http *http.Client
	base string
}

var _ Operations = (*Client)(nil)

// NewClient does not connect yet.
func NewClient(o ClientOptions) *Client {
	path, unix := strings.CutPrefix(o.Address, "unix:")
	c := &Client{o: o, base: "http://" + o.Address}
	network, address := "tcp", o.Address
	if unix {
		c.base, network, address = "http://cocbridge", "unix", path
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	}
	c.http = &http.Client{Transport: &http.Transport{DialContext: dial, ResponseHeaderTimeout: answerTimeout}}
	return c
}

// DeadLetters implements Operations.
func (c *Client) DeadLetters(ctx context.Context, s Select, visit func(DeadLetter) error) error {
	return readLines(ctx, c, list("/api/v1/dead", s), visit)
}

// Tasks implements Operations.
func (c *Client) Tasks(ctx context.Context, s SelectTasks, visit func(Task) error) error {
	return readLines(ctx, c, list("/api/v1/queue", s), visit)
}

// Alarms implements Operations.
func (c *Client) Alarms(ctx context.Context, s SelectAlarms, visit func(Alarm) error) error {
	return readLines(ctx, c, list("/api/v1/alarms", s), visit)
}

// Replay implements Operations.
func (c *Client) Replay(ctx context.Context, r Replay, visit func(Outcome) error) error {
	return readLines(ctx, c, call{method: http.MethodPost, path: "/api/v1/dead/replay", body: r}, visit)
}

// Drop implements Operations.
func (c *Client) Drop(ctx context.Context, d Drop, visit func(Outcome) error) error {
	return readLines(ctx, c, call{method: http.MethodPost, path: "/api/v1/dead/drop", body: d}, visit)
}

// Stats implements Operations.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	return object[Stats](ctx, c, call{method: http.MethodGet, path: "/api/v1/stats"})
}

// Alarm implements Operations.
func (c *Client) Alarm(ctx context.Context, id string) (Alarm, error) {
	return object[Alarm](ctx, c, call{method: http.MethodGet, path: "/api/v1/alarms/" + url.PathEscape(id)})
}

// Close implements Operations.
func (c *Client) Close(ctx context.Context, q Close) (Outcome, error) {
	return object[Outcome](ctx, c, call{method: http.MethodPost, path: "/api/v1/alarms/" + url.PathEscape(q.AlarmID) + "/close", body: q})
}

// Why implements Operations.
func (c *Client) Why(ctx context.Context, question []string) ([]Answer, error) {
	return object[[]Answer](ctx, c, call{method: http.MethodGet, path: "/api/v1/why?" + url.Values{"q": question}.Encode()})
}

// SendTest implements Operations.
func (c *Client) SendTest(ctx context.Context, t SendTest) (Test, error) {
	return object[Test](ctx, c, call{method: http.MethodPost, path: "/api/v1/send-test", body: t})
}

// Automation implements Operations.
func (c *Client) Automation(ctx context.Context) (Automation, error) {
	return object[Automation](ctx, c, call{method: http.MethodGet, path: "/api/v1/automation"})
}

// Arm implements Operations.
func (c *Client) Arm(ctx context.Context, s Switch) (Automation, error) {
	return object[Automation](ctx, c, call{method: http.MethodPost, path: "/api/v1/automation/arm", body: s})
}

// Stop implements Operations.
func (c *Client) Stop(ctx context.Context, s Switch) (Automation, error) {
	return object[Automation](ctx, c, call{method: http.MethodPost, path: "/api/v1/automation/stop", body: s})
}

// list is the call for one.
func list(path string, filter any) call {
	text, _ := json.Marshal(filter) // made of texts, numbers and durations
	return call{method: http.MethodGet, path: path + "?" + url.Values{"filter": {string(text)}}.Encode()}
}

// call is one request.
type call struct {
	method, path string
	body         any
}

func object[T any](ctx context.Context, c *Client, q call) (value T, err error) {
	resp, err := c.send(ctx, q)
	if err != nil {
		return value, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&value); err != nil {
		return value, fmt.Errorf("the daemon's answer cannot be read: %w", err)
	}
	return value, nil
}

// readLines visits each line; one with an error ends the list.
func readLines[T any](ctx context.Context, c *Client, q call, visit func(T) error) error {
	resp, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	scanner := bufio.NewScanner(resp.Body)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var p problem
		if json.Unmarshal(scanner.Bytes(), &p) == nil && p.Error != "" {
			return errors.New(p.Error)
		}
		var value T
		if err := json.Unmarshal(scanner.Bytes(), &value); err != nil {
			return fmt.Errorf("the daemon's answer cannot be read: %w", err)
		}
		if err := visit(value); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("the daemon's answer ends early: %w", err)
	}
	return nil
}

// send returns a response with status 200, whose body the caller closes.
func (c *Client) send(ctx context.Context, q call) (*http.Response, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req) //nolint:gosec // G704: as above
	if err != nil {
		var op *net.OpError
		switch dialled := errors.As(err, &op) && op.Op == "dial"; {
		case dialled && IsUnix(c.o.Address) && errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("this user may not use the socket %s: %w; ask as root, or as a member of its group (cocbridge for the packages: usermod -aG cocbridge USER, and log in anew)",
				c.o.Address, op.Err)
		case dialled:
			return nil, fmt.Errorf("no cocbridge answers at %s: %w; is it running, and is this its --admin.listen-address?", c.o.Address, op.Err)
		}
		return nil, fmt.Errorf("ask cocbridge at %s: %w", c.o.Address, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, refusal(resp)
}

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	var content io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, content) //nolint:gosec // G704: the address is the operator's own
	if err != nil || q.method == http.MethodGet {
		return req, err
	}
	req.Header.Set("Content-Type", "application/json")
	if IsUnix(c.o.Address) {
		return req, nil
	}
	token, err := c.o.Token()
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set(actorHeader, url.PathEscape(c.o.Actor))
	return req, nil
}

// refusal is what the daemon has against a request.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	var p problem
	if json.Unmarshal(text, &p) != nil || p.Error == "" {
		p.Error = fmt.Sprintf("%s: %.200s", resp.Status, bytes.TrimSpace(text))
	}
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return fmt.Errorf("%w: %s", ErrInvalid, strings.TrimPrefix(p.Error, ErrInvalid.Error()+": "))
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, strings.TrimPrefix(p.Error, ErrNotFound.Error()+": "))
	}
	return errors.New(p.Error)
}

// Healthy asks /-/healthy of a web address and returns what it has to say.
func Healthy(ctx context.Context, client *http.Client, baseURL string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/-/healthy", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return err
}

const healthTimeout = 5 * time.Second
