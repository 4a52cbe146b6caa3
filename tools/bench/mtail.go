package main

import "encoding/json"

// readMtail reads what mtail --one_shot prints: its metrics as JSON, by name.
func readMtail(b []byte) (counts, error) {
	var metrics map[string][]struct {
		LabelValues []struct{ Value struct{ Value int } }
	}
	if err := json.Unmarshal(b, &metrics); err != nil {
		return counts{}, err
	}
	c := nothing()
	for name, m := range metrics {
		if len(m) != 1 || len(m[0].LabelValues) != 1 {
			continue
		}
		n := m[0].LabelValues[0].Value.Value
		switch name {
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
