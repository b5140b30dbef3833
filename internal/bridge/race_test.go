//go:build race

package bridge_test

// thorough divides the sizes of the largest tests: the race detector makes each
// step ten times as slow, and looks for other things than numbers.
const thorough = 10
