package main

import "encoding/json"

// readMtail reads what mtail --one_shot prints: its metrics as JSON, after
// words of its own.
func readMtail(b []byte) (counts, error) {
	var metrics []struct {
		Name        string
		LabelValues []struct{ Value struct{ Value int } }
	}
	if err := json.Unmarshal(b, &metrics); err != nil {
		return counts{}, err
	}
	c := nothing()
	for _, m := range metrics {
		if len(m.LabelValues) != 1 {
			continue
		}
		n := m.LabelValues[0].Value.Value
		switch m.Name {
		case "granted":
			c.Granted = n
		case "sts":
			c.STS = n
		case "unmapped":
			c.NotMapped = n
		case "invalid":
			c.InvalidToken = n
		}
	}
	return c, nil
}
