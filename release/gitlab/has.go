package gitlab

// Complete reports whether nothing is to be created or updated.
func (r ReleaseResult) Complete() bool {
	outcomes := []Outcome{r.Tag, r.Release, r.Text}
	for _, o := range r.Links {
		outcomes = append(outcomes, o)
	}
	for _, o := range outcomes {
		if o != Found && o != Kept {
			return false
		}
	}
	return true
}

// AssetURL is where a file is served from once it is uploaded.
func (c *Client) AssetURL(a Asset) string { return c.assetURL(a) }
