//go:build !race

package bridge_test

const thorough = 1
