package app
import ("testing";"os";"path/filepath";"fmt";"errors";"github.com/goccy/go-yaml")
func TestZZ(t *testing.T){
 for _, s := range []string{"", "# c\n", "---\n", "null\n", "cps:\ntrust:\n  list:\n", "cps:\n  retention:\n    mesh: 20s\n", "trust:\n  revocation:\n    refuse:\n      no_list: maybe\n", "cps:\n  limits:\n    records: many\n", "cps:\n  limits: 3\n","cps:\n  audience: x\n","cps:\n  audience: {a: b}\n", "cps: [a]\n", "password: hunter2\n", "log:\n  password: hunter2\n", "cps:\n  retention:\n    mesh: soon\n", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n", "\x00\x01\xff\xfe", "cps:\n\tlisten: x\n","cps:\n  listen: \"hunter2\n", "log:\n  level: [a]\n", "cps:\n  limits:\n    records: 99999999999999999999999\n", "log: &a\n  level: hunter2\n  level: x\n", "cps:\n  rates:\n    publish:\n      per_second: true\n","log:\n  level: 3\n", "cps:\n  listen:\n","trust: *nobody\n", "log:\n  level: !!binary hunter2\n", "cps:\n  deny: {a: b}\n", "cps:\n  inspect:\n    fetch_wait: [1s]\n","cps:\n  readers: {1234: 5}\n", "cps:\n  drain: {delay: 5}\n"} {
  n := filepath.Join(t.TempDir(),"a"); os.WriteFile(n,[]byte(s),0o600)
  f, err := readConfig(n)
  fmt.Printf("--- %q\n", s)
  if err != nil { var ye yaml.Error; fmt.Println(errors.As(err,&ye), err); continue }
  fmt.Printf("%v %v %+v %s\n", f.CPS.Retention, f.CPS.Limits.Records, f.Trust.List, f.Log)
 }
}
