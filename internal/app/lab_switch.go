package app

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// labSwitches is the folder of the configurations of providers' SIP elements, one for each.
const labSwitches = "switches"

// sipStride lies between the ports of two providers' elements: one for SIP, one for operators, one for HTTP.
const sipStride = 3

var labSwitchTemplate = template.Must(template.New("").Parse(`# The SIP element of provider {{.SPC}} in a laboratory: what its switch asks before a call goes on. docs/configuration.md
# describes every key. A switch on this machine names the trunk of a call by the first label of the host in the
# Request-URI: INVITE sip:+12155550131@tdm-out.oob.example is answered by the row with the label tdm-out.
sip:
  udp: ["{{.SIP}}"]
  tcp: ["{{.SIP}}"]
api: # the same over HTTP, ATIS-1000082; parameter tgrp says where a call came from
  listen: "{{.API}}"
  plain: true
  clients:
    - name: switch
      addresses: [127.0.0.0/8]
signing:
  spc: "{{.SPC}}"
  key: ../providers/{{.SPC}}/key.pem
  certificate: ../repository/{{.SPC}}.pem
  x5u: {{.X5U}}
  margin: 0s # certificates of a laboratory are young
  numbers: [12155550100-12155550199]
  customers: [acme]
peers:
  cps:
    - name: lab
      url: https://{{.CPS}}
      audience: localhost
  private_addresses: true # that of the laboratory's CPS
  tls_roots: [../tls-root.pem]
numbers:
  file: ../numbers.csv
{{- if .Found}}
discovery: # viaduct discover says which CPS a number has
  advertisements:
    urls: ["https://{{.CPS}}/.well-known/stir-cps"]
  list:
    source:
      file: ../sti-pa/cps-list.jwt
    signers: [../sti-pa/crl-issuer.pem]
{{- end}}
trunks:
  - name: sip-out # calls that go on over SIP are signed
    match: {sources: [127.0.0.0/8], label: sip-out}
    mode: sign
  - name: tdm-out # calls that begin here and go into a TDM trunk are signed and published
    match: {sources: [127.0.0.0/8], label: tdm-out}
    mode: sign_publish
    cps: [lab]
  - name: transit-out # calls in transit: what they carry is published
    match: {sources: [127.0.0.0/8], label: transit-out}
    mode: publish
    cps: [lab]
  - name: sip-in # calls that arrive over SIP are verified
    match: {sources: [127.0.0.0/8], label: sip-in}
    mode: verify
  - name: api-out
    match: {client: switch, asks: signing}
    mode: sign_publish
    cps: [lab]
  - name: api-transit-out
    match: {client: switch, asks: publish}
    mode: publish
    cps: [lab]
{{- if .Found}}
  - name: rfc9888-out # the CPS of the called number is looked for
    match: {sources: [127.0.0.0/8], label: rfc9888-out}
    mode: sign_publish
    profile: rfc9888
    discover: dest
{{- end}}
  - name: rfc9888-in
    match: {sources: [127.0.0.0/8], label: rfc9888-in}
    mode: verify
    profile: rfc9888
    cps: [lab]
{{- if .Found}}
  - name: company-out # a CPS of one provider, open to whoever signs
    match: {sources: [127.0.0.0/8], label: company-out}
    mode: sign_publish
    profile: company
    discover: dest
{{- end}}
  - name: company-in
    match: {sources: [127.0.0.0/8], label: company-in}
    mode: verify
    profile: company
    cps: [lab]
{{- range .Others}}
  - name: from-{{.}} # calls that arrive from {{.}} over TDM are looked for and verified
    match: {sources: [127.0.0.0/8], label: from-{{.}}}
    mode: verify
    cps: [lab]
    peer_spc: "{{.}}"
  - name: transit-from-{{.}} # calls in transit from {{.}}: what is found goes on with them
    match: {sources: [127.0.0.0/8], label: transit-from-{{.}}}
    mode: retrieve
    cps: [lab]
    peer_spc: "{{.}}"
  - name: api-from-{{.}}
    match: {client: switch, asks: verification, tgrp: "{{.}}"}
    mode: verify
    cps: [lab]
    peer_spc: "{{.}}"
  - name: api-transit-from-{{.}}
    match: {client: switch, asks: retrieve, tgrp: "{{.}}"}
    mode: retrieve
    cps: [lab]
    peer_spc: "{{.}}"
{{- end}}
trust:
  anchors: [../sti-root.pem]
  revocation:
    source:
      file: ../sti-pa/revoked.crl
      refresh: 5s
    signers: [../sti-pa/crl-issuer.pem]
  laboratory: # never where calls are real
    hosts: ["{{.Repository}}", "{{.CPS}}"]
    roots: [../tls-root.pem]
trace:
  messages: true
management:
  listen: "{{.Management}}"
log:
  format: text
`))

// switches writes the configuration of each provider's SIP element.
func (w *labWriter) switches(l *LabInit) {
	for i, spc := range l.SPC {
		var others []string
		for _, other := range l.SPC {
			if other != spc {
				others = append(others, other)
			}
		}
		var text strings.Builder
		err := labSwitchTemplate.Execute(&text, map[string]any{
			"SPC": spc, "Found": l.isFound(), "Others": others, "CPS": l.CPS, "Repository": l.Repository, "X5U": "https://" + l.Repository + "/" + spc + ".pem",
			"SIP": portAbove(l.SIP, sipStride*i), "Management": portAbove(l.SIP, sipStride*i+1), "API": portAbove(l.SIP, sipStride*i+2),
		})
		if w.err == nil {
			w.err = err
		}
		w.file(filepath.Join(labSwitches, spc+".yaml"), []byte(text.String()))
	}
}

// portAbove is the address with a port that many above it; port 0 is any port.
func portAbove(address string, above int) string {
	host, port, err := net.SplitHostPort(address)
	n, fault := strconv.Atoi(port)
	if err != nil || fault != nil || n == 0 {
		return address
	}
	return net.JoinHostPort(host, fmt.Sprint(n+above))
}
