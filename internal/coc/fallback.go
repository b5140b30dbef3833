package coc

import (
	"context"
	"fmt"
)

// callAsAny makes the call as the credential that COC took last. If that is
// refused, or cannot be had, it tries the other one, and goes on with it if COC
// takes it. So two credentials can overlap while one of them is exchanged.
func (c *Client) callAsAny(ctx context.Context, q request) (reply, *Error) {
	first := c.works.Load()
	r, e := c.callAs(ctx, q, c.credentials[first])
	if len(c.credentials) == 1 || !e.isAboutCaller() || !q.mayRepeat(e) || ctx.Err() != nil {
		return r, e
	}
	second := 1 - first
	r, other := c.callAs(ctx, q, c.credentials[second])
	if other.isAboutCaller() {
		if first == 1 {
			e, other = other, e
		}
		return reply{}, c.neither(e, other)
	}
	if other == nil || other.Status != 0 {
		c.works.CompareAndSwap(first, second)
	}
	return r, other
}

// byNeither is Error.By where both credentials were tried.
const byNeither = "neither credential will do"

// isAboutCaller says that another credential might fare better.
func (e *Error) isAboutCaller() bool {
	return e != nil && (e.Class == Auth || e.By != "")
}

// neither is the error of two credentials of which none will do. Where one of
// them was only not reachable, a person need not act yet.
func (c *Client) neither(first, second *Error) *Error {
	e := first
	if second.Class == Network {
		e = second
	}
	const half = maxMessage/2 - 32
	return &Error{Class: e.Class, By: byNeither, RetryAfter: e.RetryAfter, Sent: first.Sent || second.Sent, Refused: first.NotBegun() && second.NotBegun(), Err: e.Err,
		Message: fmt.Sprintf("%s: %s; %s: %s", c.credentials[0].section, first.describe(half), c.credentials[1].section, second.describe(half))}
}

// describe is what the error says, without the call and the advice.
func (e *Error) describe(limit int) string {
	text := e.Message
	if e.Code != "" {
		text = e.Code + ": " + text
	}
	if e.Status != 0 {
		text = fmt.Sprintf("HTTP %d: %s", e.Status, text)
	}
	if e.By != "" {
		text = e.By + ": " + text
	}
	return presentable(text, nil, limit)
}
