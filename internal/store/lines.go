package store

import (
	"context"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxSamples is how many lines are kept of each cluster and code: the newest.
const maxSamples = 1000

func (sv *saving) saveMarkers(ctx context.Context) error {
	args := make([]any, 0, sv.in.marker.cols*len(sv.batch.Markers))
	for _, m := range sv.batch.Markers {
		args = append(args, m.ID[:], sv.clusters[m.Cluster].id, sv.words.id(m.Code), sv.words.id(m.Stream),
			authlog.Sanitize(m.Msg), []byte(m.Raw))
	}
	_, err := sv.in.marker.exec(ctx, sv.tx, args)
	return err
}

func (sv *saving) saveSamples(ctx context.Context) error {
	type bin struct{ cluster, code int64 }
	bins := map[bin]bool{}
	args := make([]any, 0, sv.in.sample.cols*len(sv.batch.Samples))
	for _, m := range sv.batch.Samples {
		b := bin{sv.clusters[m.Cluster].id, sv.words.id(m.Code)}
		bins[b] = true
		args = append(args, m.ID[:], b.cluster, b.code, sv.words.id(m.Stream), []byte(m.Raw))
	}
	_, err := sv.in.sample.exec(ctx, sv.tx, args)
	for b := range bins {
		if err != nil {
			return err
		}
		_, err = sv.tx.ExecContext(ctx, `DELETE FROM sample WHERE cluster = ?1 AND code = ?2 AND id <=
			(SELECT id FROM sample WHERE cluster = ?1 AND code = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)`,
			b.cluster, b.code, maxSamples)
	}
	return err
}
