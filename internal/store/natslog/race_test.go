//go:build race

package natslog_test

func init() { raced = true }
