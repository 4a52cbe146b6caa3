package awssim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// demoHistory is how much there is to read when a demo begins.
const demoHistory = 6 * time.Hour

// The accounts of the demo, in AWS's way for examples.
const (
	demoHome  = "111122223333"
	demoOther = "444455556666"
)

// A Demo is a World of seven clusters in two accounts and two regions whose
// authenticators have been writing for six hours: people, nodes and pipelines
// that get in, and many that do not, for most reasons there are.
type Demo struct {
	World   *World
	Sources []DemoSource // what there is to read: one for each account and region

	scenes  []*scene
	written time.Time // lines up to here are stored
}

// A DemoSource is one account and region with groups of the demo, and the role
// through which the home account reads it.
type DemoSource struct {
	Account, Region, RoleARN, ExternalID string
}

// NewDemo builds the demo up to now. The same seed and time give the same
// lines.
func NewDemo(now func() time.Time, seed uint64) (*Demo, error) {
	d := &Demo{World: NewWorld(now)}
	start := d.World.Now().Truncate(time.Second).Add(-demoHistory)
	d.written = start
	for _, account := range []string{demoHome, demoOther} {
		a := d.World.Account(account)
		arn := a.AddRole(Role{Name: "eks-authlog-reader", ExternalID: "demo", Trusted: []string{demoHome}})
		for _, region := range []string{"eu-central-1", "us-east-1"} {
			d.Sources = append(d.Sources, DemoSource{account, region, arn, "demo"})
		}
	}
	for i, c := range demoClusters() {
		s, err := newScene(d.World, c, start, rand.New(rand.NewPCG(seed, uint64(i))))
		if err != nil {
			return nil, fmt.Errorf("build demo cluster %s: %w", c.name, err)
		}
		d.scenes = append(d.scenes, s)
	}
	return d, d.Advance()
}

// Advance writes the lines that are due by the world's clock.
func (d *Demo) Advance() error {
	until := d.World.Now().Truncate(time.Second)
	for _, s := range d.scenes {
		if err := s.play(until); err != nil {
			return err
		}
	}
	d.written = until
	return nil
}

// Run advances the demo every second until ctx is done.
func (d *Demo) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Advance(); err != nil {
				return err
			}
		}
	}
}
