package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed kamailio.cfg
var kamailioScript []byte

const kamailioPackages = "kamailio kamailio-secsipid-modules"

// findKamailio looks also where no user's PATH goes.
func findKamailio() (string, error) {
	for _, name := range []string{"kamailio", "/usr/sbin/kamailio"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("kamailio is missing (Debian: apt-get install %s)", kamailioPackages)
}

// kamailioIsHere tells why there is no Kamailio with secsipid.
func kamailioIsHere() error {
	program, err := findKamailio()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-kamailio-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	arguments, err := kamailioArguments(dir, "127.0.0.1:5060", signer{})
	if err != nil {
		return err
	}
	out, err := exec.Command(program, append(arguments, "-c")...).CombinedOutput() // -c: only reads its script
	if strings.Contains(string(out), "could not find module <secsipid") {
		return fmt.Errorf("kamailio has no module secsipid (Debian: apt-get install %s)", kamailioPackages)
	}
	if err != nil {
		return fmt.Errorf("kamailio -c: %w\n%s", err, out)
	}
	return nil
}

func kamailioArguments(dir, address string, with signer) ([]string, error) {
	script := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(script, kamailioScript, 0o600); err != nil {
		return nil, err
	}
	arguments := []string{"-f", script, "-m", "64", "-M", "16", "-w", dir, "-Y", dir}
	for name, value := range map[string]string{
		"ADDRESS": address, "X5U": fmt.Sprintf("%q", with.X5U), "KEY_FILE": fmt.Sprintf("%q", with.KeyFile),
	} {
		arguments = append(arguments, "-A", name+"="+value)
	}
	return arguments, nil
}

// kamailio is Kamailio below this process, which ends it.
type kamailio struct {
	command *exec.Cmd
	dir     string
}

func (k *kamailio) Close() error {
	err := k.command.Process.Signal(syscall.SIGTERM)
	_ = k.command.Wait() // its exit status after a signal tells nothing
	return errors.Join(err, os.RemoveAll(k.dir))
}

func startKamailio() (hello, io.Closer, error) {
	with, err := givenSigner()
	if err != nil {
		return hello{}, nil, err
	}
	program, err := findKamailio()
	if err != nil {
		return hello{}, nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return hello{}, nil, err
	}
	k := &kamailio{}
	if k.dir, err = os.MkdirTemp(filepath.Dir(with.KeyFile), "kamailio-"); err != nil { // goes with it at the latest
		return hello{}, nil, err
	}
	arguments, err := kamailioArguments(k.dir, address, with)
	if err != nil {
		return hello{}, nil, errors.Join(err, os.RemoveAll(k.dir))
	}
	messages, err := os.Create(filepath.Join(k.dir, "messages")) // what it says when it is overrun or ends is of no interest
	if err != nil {
		return hello{}, nil, errors.Join(err, os.RemoveAll(k.dir))
	}
	defer messages.Close()
	k.command = exec.Command(program, append(arguments, "-DD", "-E")...) // in the foreground, messages to stderr
	k.command.Stderr = messages
	if err := k.command.Start(); err != nil {
		return hello{}, nil, errors.Join(err, os.RemoveAll(k.dir))
	}
	if err := awaitOptions(address); err != nil {
		said, _ := os.ReadFile(messages.Name()) // absent: the error alone
		return hello{}, nil, errors.Join(fmt.Errorf("%w\n%s", err, said), k.Close())
	}
	return hello{SIP: address}, k, nil
}

// freeAddress is one that nobody uses, over UDP and TCP.
func freeAddress() (string, error) {
	udp, tcp, err := bothTransports()
	if err != nil {
		return "", err
	}
	return udp.LocalAddr().String(), errors.Join(udp.Close(), tcp.Close())
}

// startPatience is how long a server may take to answer its first request.
const startPatience = 30 * time.Second

// awaitOptions returns when a server answers OPTIONS over UDP.
func awaitOptions(address string) error {
	socket, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer socket.Close()
	options := fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;%s0;rport\r\nMax-Forwards: 70\r\nFrom: <sip:bench@%[2]s>;tag=1\r\n"+
		"To: <sip:%[1]s>\r\nCall-ID: options@%[2]s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", address, socket.LocalAddr(), branchMark)
	buffer := make([]byte, 4<<10)
	for began := time.Now(); time.Since(began) < startPatience; {
		_, err := socket.Write([]byte(options)) // fails while nobody listens yet
		if err == nil {
			err = socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		}
		if err == nil {
			_, err = socket.Read(buffer)
		}
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("no answer to OPTIONS in %s", startPatience)
}
