package app

import (
	"bytes"
	"crypto/tls"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/viaduct-oob/viaduct/internal/load"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// benchFileBytesMax bounds a file of credentials, and one of a laboratory's numbers.
const benchFileBytesMax = 1 << 20

// benchProvider is a provider whose certificate lies in a file, if it is shown.
func benchProvider(spc, key, x5u, certificate string) (load.Provider, error) {
	signer, err := openKey(key)
	if err != nil {
		return load.Provider{}, err
	}
	p := load.Provider{SPC: spc, Key: signer, X5U: x5u}
	if certificate == "" {
		return p, nil
	}
	chain, err := readChain(certificate)
	if err != nil {
		return load.Provider{}, err
	}
	if err := fits(signer, chain); err != nil {
		return load.Provider{}, err
	}
	p.Certificate = &tls.Certificate{Certificate: chain.DER(), PrivateKey: signer}
	return p, nil
}

// readBenchCredentials reads providers; file names are relative to the file.
func readBenchCredentials(name string) ([]load.Provider, error) {
	text, err := readFile(name, benchFileBytesMax)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comment, reader.FieldsPerRecord, reader.TrimLeadingSpace = '#', -1, true
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var providers []load.Provider
	for _, row := range rows {
		if n := len(row); n != 3 && n != 4 && n != 6 {
			return nil, fmt.Errorf("%s: a line is SPC,key,x5u[,certificate[,first number,count]], and one has %d fields", name, n)
		}
		row = append(row, "", "", "")
		for _, file := range []*string{&row[1], &row[3]} {
			if *file != "" && !filepath.IsAbs(*file) {
				*file = filepath.Join(filepath.Dir(name), *file)
			}
		}
		p, err := benchProvider(row[0], row[1], row[2], row[3])
		if err == nil && row[4] != "" {
			p.Numbers, err = benchBlock(row[4], row[5])
		}
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", row[0], plain(err))
		}
		providers = append(providers, p)
	}
	return providers, nil
}

func benchBlock(first, count string) (load.Block, error) {
	begin, err := tn.ParseNumber(first)
	if err != nil {
		return load.Block{}, err
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		return load.Block{}, errors.New("a count of numbers is 1 or more")
	}
	return load.Block{First: begin, Count: n}, nil
}

// fromLab gives the providers of a laboratory, those of --spc if there are any.
func (b *Bench) fromLab() ([]load.Provider, error) {
	spcs := b.SPC
	if len(spcs) == 0 {
		folders, err := os.ReadDir(filepath.Join(b.Lab, labProviders))
		if err != nil {
			return nil, err
		}
		for _, folder := range folders {
			spcs = append(spcs, folder.Name())
		}
	}
	return benchProvidersOfLab(b.Lab, spcs)
}

// benchProvidersOfLab gives providers of a laboratory with their numbers. Delegates are left out: they have no SPC.
func benchProvidersOfLab(dir string, spcs []string) ([]load.Provider, error) {
	blocks, err := benchBlocks(filepath.Join(dir, labNumbers))
	if err != nil {
		return nil, err
	}
	var providers []load.Provider
	for _, spc := range spcs {
		signer := Signer{Lab: dir, SPC: spc}
		if err := signer.fromLab(); err != nil {
			return nil, err
		}
		p, err := benchProvider(spc, signer.Key, signer.X5U, filepath.Join(dir, labRepository, spc+".pem"))
		if err != nil {
			return nil, err
		}
		leaf, err := stircert.Parse(p.Certificate.Certificate[0])
		if err != nil {
			return nil, err
		}
		if p.Numbers = blocks[spc]; leaf.TNAuthList.HasSPC(spc) {
			providers = append(providers, p)
		}
	}
	return providers, nil
}

// benchBlocks reads the numbers of a laboratory's providers, as they begin: SPC,first,count.
func benchBlocks(name string) (map[string]load.Block, error) {
	text, err := readFile(name, benchFileBytesMax)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comment, reader.FieldsPerRecord = '#', -1
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	blocks := map[string]load.Block{}
	for _, row := range rows {
		if len(row) != 3 || !atis.IsSPC(row[0]) || blocks[row[0]].Count > 0 {
			continue // another kind of row, or another block of the same provider
		}
		if blocks[row[0]], err = benchBlock(row[1], row[2]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return blocks, nil
}
