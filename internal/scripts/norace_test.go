//go:build !race

package scripts_test

const thorough = 1
