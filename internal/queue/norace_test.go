//go:build !race

package queue_test

const thorough = 1
