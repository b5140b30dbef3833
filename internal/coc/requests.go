package coc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// The three kinds of calls besides alarms. Each has its limit and its time-out.

// reading is a request that changes nothing.
func (c *Client) reading(op, path string, query url.Values) request {
	return request{op: op, method: http.MethodGet, path: path, query: query, limiter: c.limits.reads, timeout: time.Duration(c.timeouts.Read)}
}

// searching is a reading whose question is its body.
func (c *Client) searching(op, path string, question any) request {
	q := c.reading(op, path, nil)
	q.method, q.body = http.MethodPost, encoded(question)
	return q
}

// changing is a request that acts on what COC keeps.
func (c *Client) changing(op, method, path string, body any) request {
	q := request{op: op, method: method, path: path, limiter: c.limits.tickets, timeout: time.Duration(c.timeouts.Ticket), acts: true}
	if body != nil {
		q.body = encoded(body)
	}
	return q
}

// executing is a request that starts something on hosts. It waits for no turn: its
// caller does, by TurnToExecute.
func (c *Client) executing(op, path string, body any) request {
	return request{op: op, method: http.MethodPost, path: path, body: encoded(body), timeout: time.Duration(c.timeouts.Execute), acts: true}
}

// TurnToExecute waits until a script or job may be started (coc.rate_limits.execute).
// It stands apart from the call, so that whoever has waited can look once more
// whether that may still leave.
func (c *Client) TurnToExecute(ctx context.Context) error {
	return request{op: "wait to execute", limiter: c.limits.execute}.waitForTurn(ctx)
}

// encoded is for our own types, which always have a JSON form.
func encoded(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("coc: encode a request: " + err.Error())
	}
	return body
}

// fetch makes the call and decodes its content into v.
func (c *Client) fetch(ctx context.Context, q request, v any) error {
	r, err := c.call(ctx, q)
	if err != nil {
		return err
	}
	return r.into(q.op, v)
}

// created makes the call and returns the id of what it made.
func (c *Client) created(ctx context.Context, q request) (id, requestID string, err error) {
	r, err := c.call(ctx, q)
	if err != nil {
		return "", "", err
	}
	id, err = r.id(q.op)
	return id, r.requestID, err
}
