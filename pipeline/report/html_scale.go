package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ticks returns the round times from 0 to total that a scale shows: four to
// seven of them.
func ticks(total time.Duration) []tick {
	step := roundStep(total)
	var list []tick
	for at := time.Duration(0); at <= total; at += step {
		list = append(list, tick{percent(float64(at), float64(total)), tickLabel(at), len(list)%2 == 1})
		if at > math.MaxInt64-step {
			break
		}
	}
	return list
}

// roundStep returns the smallest round time that goes into total at most six
// times.
func roundStep(total time.Duration) time.Duration {
	for unit := time.Millisecond; unit < time.Second; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			if total/(n*unit) <= 6 {
				return n * unit
			}
		}
	}
	const day = 24 * time.Hour
	for _, step := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if total/step <= 6 {
			return step
		}
	}
	step := day
	for total/step > 6 {
		step *= 2
	}
	return step
}

// tickLabel writes a round time: "0", "500ms", "1m30s", "2m".
func tickLabel(at time.Duration) string {
	if at == 0 {
		return "0"
	}
	text := at.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// exact returns a time with its milliseconds: "1m 3.250s".
func exact(d time.Duration) string {
	minutes := d / time.Minute
	text := strconv.FormatFloat((d-minutes*time.Minute).Seconds(), 'f', 3, 64) + "s"
	if minutes > 0 {
		text = fmt.Sprintf("%dm %s", minutes, text)
	}
	return text
}

// percent returns a part of the whole in percent, "0" to "100".
func percent(part, whole float64) string {
	if !(whole > 0) {
		return "0"
	}
	return strconv.FormatFloat(min(100, max(0, 100*part/whole)), 'f', 2, 64)
}

func stretchOf(start, end, total time.Duration) stretch {
	return stretch{percent(float64(start), float64(total)), percent(float64(end-start), float64(total))}
}

// Amount writes a number of bytes with a decimal unit, as registries do.
func Amount(bytes int64) string {
	value, units := float64(bytes), []string{"B", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && value >= 999.95 {
		value, units = value/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// grouped writes a number with commas between the thousands.
func grouped(value float64) string {
	if math.Abs(value) >= 1e15 {
		return strconv.FormatFloat(value, 'g', 6, 64)
	}
	text := strconv.FormatFloat(value, 'f', -1, 64)
	digits, rest, point := strings.Cut(text, ".")
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if point {
		return digits + "." + rest
	}
	return digits
}

// number writes a whole number with its noun: "1 test", "5,000 tests".
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(float64(n)) + " " + noun + "s"
}
