package coc

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
)

// MaxScriptsPerPage is COC's limit; also of orders (coc-api.md 3.6, 3.8).
const MaxScriptsPerPage = 100

// ScriptQuery says which scripts to list.
type ScriptQuery struct {
	NameLike  string // part of the name
	Creator   string
	RiskLevel string // LOW, MEDIUM, HIGH
	Type      string // SHELL, PYTHON, BAT
	Limit     int    // 0 = 100
	After     int64  // Next of the page before; 0 = the first page
}

// ScriptPage is a part of a list.
type ScriptPage struct {
	Scripts []Script
	Total   int   // of all pages
	Next    int64 // ScriptQuery.After of the next page; 0 = there is none
}

func (q ScriptQuery) values() (url.Values, error) {
	var v violations
	query := url.Values{}
	v.page(query, q.Limit, MaxScriptsPerPage, q.After)
	v.criterion(query, "name_like", q.NameLike, 32)
	v.criterion(query, "creator", q.Creator, 64)
	v.criterion(query, "risk_level", q.RiskLevel, 64)
	v.criterion(query, "type", q.Type, 64)
	return query, v.refuse(opListScripts)
}

// page adds limit and marker. 0 stands for the largest page and for no marker.
func (v *violations) page(query url.Values, limit, most int, after int64) {
	if limit == 0 {
		limit = most
	}
	v.between("limit", limit, 1, most)
	if after < 0 {
		v.add("marker is %d, must be at least 0", after)
	}
	query.Set("limit", strconv.Itoa(limit))
	if after > 0 {
		query.Set("marker", strconv.FormatInt(after, 10))
	}
}

// criterion adds an optional one.
func (v *violations) criterion(query url.Values, name, value string, most int) {
	if value == "" {
		return
	}
	v.text(name, value, 1, most)
	query.Set(name, value)
}

const opListScripts = "list scripts"

// ListScripts reads one page.
func (c *Client) ListScripts(ctx context.Context, q ScriptQuery) (ScriptPage, error) {
	query, err := q.values()
	if err != nil {
		return ScriptPage{}, err
	}
	rows, total, err := listRows[scriptAnswer](ctx, c, c.reading(opListScripts, "/v1/job/scripts", query))
	if err != nil {
		return ScriptPage{}, err
	}
	p := ScriptPage{Total: total}
	for _, row := range rows {
		p.Scripts = append(p.Scripts, row.script())
		p.Next = int64(row.ID)
	}
	return p, nil
}

// EachScript lists all pages from q.After on.
func (c *Client) EachScript(ctx context.Context, q ScriptQuery) iter.Seq2[Script, error] {
	return walk(q.After, func(after int64) ([]Script, int64, error) {
		q.After = after
		p, err := c.ListScripts(ctx, q)
		return p.Scripts, p.Next, err
	})
}

// listRows reads a list that stands as {total, data: [...]} at the top or below
// data, or is a bare array (coc-api.md 8.9).
func listRows[T any](ctx context.Context, c *Client, q request) (rows []T, total int, err error) {
	q.array = true
	r, err := c.call(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	var nested struct {
		Total number          `json:"total"`
		Data  json.RawMessage `json:"data"`
	}
	list := r.data()
	if list == nil {
		return nil, 0, nil
	}
	if !isArray(list) {
		if err := json.Unmarshal(list, &nested); err != nil {
			return nil, 0, r.unlike(q.op, err.Error())
		}
		list = nested.Data
	} else {
		_ = json.Unmarshal(r.body, &nested) // a flat one has its total beside the list
	}
	if list == nil || string(list) == "null" {
		return nil, int(nested.Total), nil
	}
	if err := json.Unmarshal(list, &rows); err != nil {
		return nil, 0, r.unlike(q.op, err.Error())
	}
	return rows, max(int(nested.Total), len(rows)), nil
}
