// Package diagnose turns findings over time into diagnoses: who is out, since
// when, why, how sure that is, and what puts it right. It holds the catalogue
// of diagnoses and a Machine that follows any number of clusters.
//
// It is pure: no I/O, no logging, no clock. Time comes in with the findings.
//
// # How the machine works
//
// The machine keeps sums of what it saw: for each principal and reason how
// many lines in which minute, and a few of the lines themselves. Every sum is
// one that comes out the same whatever the order of its parts, and diagnoses
// are a function of the sums, what is known of the cluster, and how far its
// log was read. So late lines and lines out of order lead to the same
// diagnoses as lines in order. This is exact as long as none of the bounds of
// Config is reached and no line is older than Config.Keep when it comes.
//
// # How it is called
//
// For each page of lines, before it is saved:
//
//	change := machine.Observe(page)
//	batch.Diagnoses = change.Diagnoses
//	if err := store.Save(ctx, batch); err != nil {
//		change.Undo()
//		return err
//	}
//	change.Commit()
//
// Each change must be ended by Commit or Undo before the next Observe. At the
// start Restore gives the machine what the store has; whatever differs from
// the diagnoses stored then comes with the next Observe of the cluster.
//
// A Machine is not safe for concurrent use; have one for each reader.
package diagnose
