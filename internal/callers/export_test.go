package callers

// Compare has passwords checked by f instead of bcrypt.
func (c *Callers) Compare(f func(hash, password []byte) error) { c.passwords.compare = f }
