package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	openloop "github.com/viaduct-oob/viaduct/internal/load"
)

// measureLoad puts whole calls on one node with one core, at some rates one after the other, and draws their latencies.
func measureLoad(ctx context.Context, p clusterPlan) ([]figure, error) {
	if err := pinLoad(); err != nil {
		return nil, err
	}
	lab, err := newNodeLab(p.ProfileDir)
	if err != nil {
		return nil, err
	}
	figures, err := lab.measureCalls(ctx, p)
	return figures, errors.Join(err, lab.close())
}

func (l *nodeLab) measureCalls(ctx context.Context, p clusterPlan) ([]figure, error) {
	node, err := l.start(ctx, "single", "")
	if err != nil {
		return nil, err
	}
	var steps []openloop.Step
	for _, rate := range p.Rates {
		steps = append(steps, openloop.Step{PerSecond: rate, For: p.Turn})
	}
	c, err := l.config("call=1", steps, node)
	if err != nil {
		return nil, err
	}
	c.Warmup = p.Turn
	loaded, err := openloop.New(c)
	if err != nil {
		return nil, err
	}
	defer loaded.Close()
	r, err := loaded.Run(ctx)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, s := range r.Steps {
		at := fmt.Sprintf("whole calls at %.0f/s", s.Wanted)
		for _, o := range s.Operations {
			if o.Operation == openloop.Call {
				figures = append(figures,
					figure{Name: at + ", p50", Unit: "ms", Value: o.P50}, figure{Name: at + ", p99", Unit: "ms", Value: o.P99},
					figure{Name: at + ", p99.9", Unit: "ms", Value: o.P999}, figure{Name: at + ", failed", Unit: "calls", Value: float64(o.Failed)})
			}
		}
		if len(s.Doubts) > 0 {
			figures = append(figures, figure{Name: at, Failed: strings.Join(s.Doubts, "; ")})
		}
	}
	return figures, drawLoad(r, p.Picture)
}

// drawLoad draws a picture, where one is wanted.
func drawLoad(r *openloop.Report, name string) error {
	if name == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(r.WriteSVG(file), file.Close())
}
