package main

import (
	"context"
	"encoding/json"
	"net/http"
)

// serveDecode answers 200 as soon as it has understood the request.
func serveDecode(ctx context.Context, _ []string) error {
	return serveHelper(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
}
