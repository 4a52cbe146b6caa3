package authlog

// A Change is one thing that was saved. Changes come in the order of saving,
// which is not that of their time: a line that CloudWatch shows late is saved
// after younger ones.
type Change struct {
	// Place is its place in the order of saving. Places grow, with gaps, and
	// none is given out twice, also after what stood there was pruned.
	Place     int64
	Kind      ChangeKind
	Denial    *Denial    // of ChangeDenial, else nil
	Diagnosis *Diagnosis // of the others, as it was when it was saved
}

// Cluster is whose change it is.
func (c *Change) Cluster() Cluster {
	if c.Denial != nil {
		return c.Denial.Cluster
	}
	return c.Diagnosis.Cluster
}

// ChangeKind says what was saved.
type ChangeKind string

// The kinds of change; the strings are part of the API.
const (
	ChangeDenial            ChangeKind = "denial"
	ChangeDiagnosisOpened   ChangeKind = "diagnosis_opened"
	ChangeDiagnosisResolved ChangeKind = "diagnosis_resolved"
)

// ChangeBounds are how far a store's changes reach.
type ChangeBounds struct {
	Last int64 // the newest place; 0: nothing was saved yet
	// Secret belongs to the store for as long as it lives; whoever shows places
	// to callers makes them unreadable with it.
	Secret [16]byte
}
