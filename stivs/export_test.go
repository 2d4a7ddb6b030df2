package stivs

// SetMemoryMax makes a memory small.
func SetMemoryMax(m *Memory, max int) { m.max = max }
