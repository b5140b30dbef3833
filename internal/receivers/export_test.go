package receivers

import "net/http"

// FillDecoders takes all places where a receiver decodes, until the returned
// function is called.
func FillDecoders(h http.Handler) (release func()) {
	places := h.(*handler).decoders
	for range cap(places) {
		places <- struct{}{}
	}
	return func() {
		for range cap(places) {
			<-places
		}
	}
}
