package webhook

import "time"

// Hurry makes the first pause short.
func (w *Webhook) Hurry(pause time.Duration) { w.pause = pause }
