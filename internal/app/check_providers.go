package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// actsFor is a provider for whom calls are handled, with its certificate.
type actsFor struct {
	CredentialConfig
	chain *trust.Chain
}

// nameCharsMax bounds the names of webhooks and credentials.
const nameCharsMax = 64

// isName accepts what logs and metrics can show: one line of visible characters.
func isName(text string) bool {
	return text != "" && len(text) <= nameCharsMax && text == strings.TrimSpace(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// checkForms refuses what is said of forms that are not served, and what would have no effect.
func (p *cpsPlan) checkForms(file *configFile, note func(string, error)) {
	c := &file.CPS
	for i, spc := range c.Everything {
		if slices.Contains(c.Deny, spc) {
			note(fmt.Sprintf("$.cps.everything[%d]", i), errors.New("stands in cps.deny, too"))
		}
	}
	if len(p.profiles) < len(c.Profiles) {
		return // one of them is unknown: who knows what was meant
	}
	rfc9888 := slices.Contains(p.profiles, oob.RFC9888)
	providers := rfc9888 || slices.Contains(p.profiles, oob.Company)
	for key, given := range map[string]bool{"serves": len(c.Serves) > 0, "everything": len(c.Everything) > 0, "advertise": c.Advertise.given()} {
		if given && !providers {
			note("$.cps."+key, errors.New("is for the forms rfc9888 and company, which are not served here"))
		}
	}
	if len(c.Serves) > 0 && rfc9888 && !file.Numbers.given() {
		note("$.cps.serves", errors.New("needs numbers: whose a called number is would not be known"))
	}
}

// resolveCredentials refuses credentials that cannot be used.
func (p *switchPlan) resolveCredentials(list []CredentialConfig, note func(string, error)) {
	seen := map[string]bool{}
	for i, c := range list {
		at := fmt.Sprintf("$.credentials[%d]", i)
		if !isName(c.Name) || seen[c.Name] {
			note(at+".name", fmt.Errorf("is a name of its own, by which trunks mean this provider: visible characters, at most %d", nameCharsMax))
		}
		seen[c.Name] = true
		if c.Key == "" || c.Certificate == "" || c.X5U == "" {
			note(at, errors.New("needs key, certificate and x5u"))
			continue
		}
		credential, err := c.credential()
		if err == nil {
			discard(credential)
			p.actsFor = append(p.actsFor, actsFor{c, credential.Chain})
			_, err = stias.New(stias.Config{SPC: string(c.SPC), Credential: stias.Credential{Key: credential.Key, X5U: c.X5U, Chain: credential.Chain}})
		}
		note(at, plain(err))
	}
}

// checkSubscriptions refuses those that no trunk would hear of.
func (p *switchPlan) checkSubscriptions(file *configFile, note func(string, error)) {
	for i, c := range file.Peers.Subscriptions {
		at := fmt.Sprintf("$.peers.subscriptions[%d]", i)
		profile, ok := oob.ProfileNamed(c.Profile)
		switch known := c.checkNames(at, file, note); {
		case !ok || !profile.Row().Pushed:
			note(at+".profile", errors.New("is rfc9888 or company"))
		case known && !slices.ContainsFunc(file.Trunks, func(t TrunkConfig) bool {
			return slices.Equal(t.CPS, c.CPS) && t.Profile == c.Profile && t.Behalf == c.Behalf && (t.Mode == "verify" || t.Mode == "retrieve")
		}):
			note(at+".cps", errors.New("are not the CPSs, profile and behalf of any trunk that retrieves or verifies: nobody would use what is told"))
		}
		if len(c.Resources) == 0 {
			note(at+".resources", errors.New("needs at least one, such as 0-567A"))
		} else if len(c.Resources) > rfc9888.ResourcesMax {
			note(at+".resources", fmt.Errorf("are more than %d", rfc9888.ResourcesMax))
		}
		for j, text := range c.Resources {
			if _, err := stircert.ParseResource(text); err != nil {
				note(fmt.Sprintf("%s.resources[%d]", at, j), errors.New("is a provider as 0-567A, a range as 1-12155550100-50 (first and count), or a number as 2-12155550131"))
			}
		}
		transportWords.read(at+".transport", c.Transport, note)
	}
}

// checkNames refuses names that nobody has.
func (c *SubscriptionConfig) checkNames(at string, file *configFile, note func(string, error)) (known bool) {
	known = true
	for j, name := range c.CPS {
		if !slices.ContainsFunc(file.Peers.CPS, func(of PeerConfig) bool { return of.Name == name }) {
			note(fmt.Sprintf("%s.cps[%d]", at, j), errors.New("is the name of no CPS in peers.cps, and so not of any trunk"))
			known = false
		}
	}
	if c.Behalf != "" && !slices.ContainsFunc(file.Credentials, func(of CredentialConfig) bool { return of.Name == c.Behalf }) {
		note(at+".behalf", errors.New("is the name of nobody in credentials"))
		known = false
	}
	return known
}

// describeProviders says for whom else calls are handled, and who tells of calls before they come.
func (p *switchPlan) describeProviders(out io.Writer, file *configFile, now time.Time) (good bool) {
	good = true
	for _, c := range p.actsFor {
		of := "provider " + string(c.SPC)
		if c.SPC == "" {
			of = "its numbers"
		}
		fmt.Fprintf(out, "  acts for %s (%s), certificate at %s, until %s\n", c.Name, of, c.X5U, c.chain.Leaf.NotAfter.UTC().Format(time.RFC3339))
		if err := c.chain.Leaf.CheckTime(now); err != nil {
			fmt.Fprintf(out, "    ALARM: nothing is signed for it: %v\n", err)
			good = false
		}
	}
	for _, c := range file.Peers.Subscriptions {
		fmt.Fprintf(out, "  told by %s of %s, %s form%s\n", strings.Join(c.CPS, " and "), strings.Join(c.Resources, ", "), c.Profile, onBehalf(c.Behalf))
	}
	return good
}

func onBehalf(name string) string {
	if name == "" {
		return ""
	}
	return ", on behalf of " + name
}

// describeReaders says whose calls a CPS takes, and who reads all.
func (c *CPSConfig) describeReaders(out io.Writer) {
	if len(c.Serves) > 0 {
		fmt.Fprintf(out, "  takes calls to %s alone, in rfc9888 and company\n", strings.Join(texts(c.Serves), ", "))
	}
	if len(c.Everything) > 0 {
		fmt.Fprintf(out, "  every called number is read by %s, in rfc9888\n", strings.Join(texts(c.Everything), ", "))
	}
}
