package mapping

import (
	"fmt"
	"strings"
)

// Describe names the route with this index, as in Result, for people.
func Describe(routes []Route, i int) string {
	switch {
	case len(routes) == 0:
		return "none configured"
	case i < 0 || i >= len(routes):
		return "none matches"
	case len(routes[i].Matchers) == 0:
		return fmt.Sprintf("routes[%d] (everything)", i)
	default:
		return fmt.Sprintf("routes[%d] {%s}", i, strings.Join(routes[i].Matchers, ", "))
	}
}
