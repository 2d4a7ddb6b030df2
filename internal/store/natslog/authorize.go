package natslog

import (
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// insider is the name of connections from inside this process. Its password is made at random for each run.
const insider = "insider"

// siteAccount is where the nodes of other sites are, apart from the log: their replies and subscriptions cannot reach it.
const siteAccount = "SITES"

// Check lets in who may connect: this process, which may do everything, and the nodes of other sites, which have proven
// themselves with a certificate.
func (e *engine) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	opts := c.GetOpts()
	if opts.Username == insider {
		return subtle.ConstantTimeCompare([]byte(opts.Password), []byte(e.secret)) == 1
	}
	state := c.GetTLSConnectionState()
	if state == nil || len(state.VerifiedChains) == 0 {
		return false
	}
	site, node, ok := strings.Cut(opts.Username, "/")
	if !ok || !nameForm.MatchString(node) {
		return false
	}
	for _, s := range e.cfg.Sites {
		if s.Name == site && validForOne(state.PeerCertificates, s.hosts()) == nil {
			return e.admit(c, site, node)
		}
	}
	return false
}

// admit gives a node of another site what it may do: read, and tell what it has applied.
func (e *engine) admit(c server.ClientAuthentication, site, node string) bool {
	s := e.running.Load()
	if s == nil {
		return false
	}
	account, err := s.LookupAccount(siteAccount)
	if err != nil {
		return false
	}
	publish := []string{appliedSubject(site, node)}
	for i := range streams {
		publish = append(publish, directGet(streamOf(e.cfg.Site, i)))
	}
	c.RegisterUser(&server.User{
		Username: site + "/" + node,
		Account:  account,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: publish},
			Subscribe: &server.SubjectPermission{Allow: []string{"v.>", gossipAll, inboxOf(site, node) + ">"}},
		},
	})
	return true
}

// shareWithSites gives the account of other sites what it may read of this one.
func (e *engine) shareWithSites(s *server.Server) error {
	if e.cfg.SitesListen == "" {
		return nil
	}
	own := s.GlobalAccount()
	sites, _ := s.LookupOrRegisterAccount(siteAccount)
	only := []*server.Account{sites}
	for _, subject := range []string{"v.>", gossipAll} {
		if err := own.AddStreamExport(subject, only); err != nil {
			return fmt.Errorf("share %s: %w", subject, err)
		}
		if err := sites.AddStreamImport(own, subject, ""); err != nil {
			return fmt.Errorf("share %s: %w", subject, err)
		}
	}
	for i := range streams {
		subject := directGet(streamOf(e.cfg.Site, i))
		if err := own.AddServiceExportWithResponse(subject, server.Streamed, only); err != nil {
			return fmt.Errorf("share %s: %w", subject, err)
		}
		if err := sites.AddServiceImport(own, subject, subject); err != nil {
			return fmt.Errorf("share %s: %w", subject, err)
		}
	}
	if err := sites.AddStreamExport(appliedAll, []*server.Account{own}); err != nil {
		return fmt.Errorf("share %s: %w", appliedAll, err)
	}
	return own.AddStreamImport(sites, appliedAll, "")
}
