package history

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Rate is a share, with the bounds that hold it with 95 % certainty. All are
// percentages.
type Rate struct {
	Percent float64 `json:"percent"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Of      int     `json:"of"` // runs that it is a share of; 0 says nothing
}

// String says the rate and its bounds: 2.1 % (1.0 to 4.4).
func (r Rate) String() string {
	if r.Of == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f %% (%.1f to %.1f)", r.Percent, r.Low, r.High)
}

// z is the quantile of the normal distribution that leaves 2.5 % on each side.
const z = 1.959963984540054

// RateOf returns the share that n is of some runs, with Wilson's score interval
// (Wilson 1927), which holds for few runs and for shares near 0 and 1, too.
func RateOf(n, of int) Rate {
	if of <= 0 {
		return Rate{}
	}
	p, total := float64(n)/float64(of), float64(of)
	scale := 1 + z*z/total
	middle := (p + z*z/(2*total)) / scale
	half := z / scale * math.Sqrt(p*(1-p)/total+z*z/(4*total*total))
	return Rate{Percent: round(100 * p), Low: round(100 * max(0, middle-half)), High: round(100 * min(1, middle+half)), Of: of}
}

// round keeps two digits, so that the same runs print the same everywhere.
func round(x float64) float64 { return math.Round(x*100) / 100 }

// Durations say how long runs took. Times are in seconds.
type Durations struct {
	Runs   int     `json:"runs"` // that say how long they took
	Median float64 `json:"median_seconds"`
	P95    float64 `json:"p95_seconds"`
	// Change is by how many percent the newer half of the runs took longer than
	// the older half, by their medians; Trend puts it into a word: slower,
	// faster or steady, and nothing for fewer than eight runs.
	Change float64 `json:"change_percent"`
	Trend  string  `json:"trend,omitempty"`
}

// Fewer runs make no trend, and less change than this percentage is none.
const (
	trendRuns   = 8
	trendChange = 20
)

// durationsOf reads the results that have a duration, newest first.
func durationsOf(results []Result) Durations {
	var took []time.Duration
	for _, r := range results {
		if r.Duration > 0 && r.done() {
			took = append(took, r.Duration)
		}
	}
	d := Durations{Runs: len(took)}
	if d.Runs == 0 {
		return d
	}
	d.Median, d.P95 = round(Percentile(took, 50).Seconds()), round(Percentile(took, 95).Seconds())
	if d.Runs < trendRuns {
		return d
	}
	newer, older := Percentile(took[:d.Runs/2], 50), Percentile(took[d.Runs/2:], 50)
	d.Change = round(100 * (float64(newer)/float64(older) - 1))
	switch {
	case d.Change >= trendChange:
		d.Trend = "slower"
	case d.Change <= -trendChange:
		d.Trend = "faster"
	default:
		d.Trend = "steady"
	}
	return d
}

// Percentile returns the smallest duration that at least p percent of all do
// not exceed (the nearest rank); zero for none. The order is left as it is.
func Percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
