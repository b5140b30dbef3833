package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// api is Zabbix's JSON-RPC API.
type api struct {
	url  string
	auth string
}

// m is a JSON object.
type m map[string]any

func login(ctx context.Context, address string) (*api, error) {
	a := &api{url: "http://" + address + "/api_jsonrpc.php"}
	err := a.call(ctx, "user.login", m{"username": "Admin", "password": "zabbix"}, &a.auth)
	return a, err
}

// call calls a method; result may be nil.
func (a *api) call(ctx context.Context, method string, params, result any) error {
	request := m{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
	if a.auth != "" {
		request["auth"] = a.auth
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	text, err := stage.Call(ctx, http.MethodPost, a.url, body)
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage                 `json:"result"`
		Error  *struct{ Message, Data string } `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s: %w: %.500s", method, err, text)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s %s", method, answer.Error.Message, answer.Error.Data)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// create makes one thing and returns its id.
func (a *api) create(ctx context.Context, method string, params m) (string, error) {
	var ids map[string][]any
	if err := a.call(ctx, method, params, &ids); err != nil {
		return "", err
	}
	for _, list := range ids {
		if len(list) == 1 {
			return fmt.Sprint(list[0]), nil
		}
	}
	return "", fmt.Errorf("%s: no id in %v", method, ids)
}
