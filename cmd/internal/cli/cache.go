package cli

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/cmd/internal/cachedir"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
)

// cacheLimitVariable is the size of the outputs that the cache keeps.
const cacheLimitVariable = "PIPELINE_CACHE_LIMIT"

func newCache(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Say what the cache holds, and make it smaller",
		Long: `Say what the cache folder of this user holds. Once a day, after a run, what was
not used for a week is removed from it, and of what stages made and found the
longest unused that is over PIPELINE_CACHE_LIMIT (default 5GB).`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return showCache(s) },
	}
	cmd.AddCommand(newCacheTrim(s))
	return cmd
}

func showCache(s *streams) error {
	limits, err := cacheLimits()
	if err != nil {
		return &usageError{err}
	}
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	parts, err := cachedir.Usage(dir)
	if err != nil {
		return fmt.Errorf("the cache cannot be read: %w; PIPELINE_CACHE names the folder", err)
	}
	fmt.Fprintln(s.out, dir)
	for _, p := range parts {
		note := ""
		if !p.Trimmed {
			note = " (stays)"
		}
		fmt.Fprintf(s.out, "%10s  %s%s\n", report.Amount(p.Bytes), p.What, note)
	}
	_, err = fmt.Fprintf(s.out, "kept for %d days after the last use, verdicts and what belongs to them up to %s (%s)\n", int(limits.Unused.Hours()/24), report.Amount(limits.Bytes), cacheLimitVariable)
	return err
}

func newCacheTrim(s *streams) *cobra.Command {
	var limit string
	var unused time.Duration
	cmd := &cobra.Command{
		Use:   "trim",
		Short: "Remove what has not been used, now",
		Long: `Remove from the cache what has not been used for a while, and verdicts with what
belongs to them that are over the limit, the longest unused first. What was used
in the last hour stays: a run may be working with it. What is missed afterwards
is made again.`,
		Example: "  pipeline cache trim\n  pipeline cache trim --unused 0",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			limits, err := cacheLimits()
			if cmd.Flags().Changed("limit") {
				limits.Bytes, err = parseAmount(limit)
				if err != nil {
					err = fmt.Errorf("--limit %w", err)
				}
			}
			if err != nil {
				return &usageError{err}
			}
			if limits.Unused = unused; unused < 0 {
				return &usageError{fmt.Errorf("--unused %s: expected a duration from 0", unused)}
			}
			return trimNow(cmd.Context(), s, limits)
		},
	}
	cmd.Flags().StringVar(&limit, "limit", "", "size of what stays, like 800MB (default $PIPELINE_CACHE_LIMIT, then 5GB)")
	cmd.Flags().DurationVar(&unused, "unused", cachedir.Unused, "remove what was not used for longer")
	return cmd
}

func trimNow(ctx context.Context, s *streams, l evidence.Limits) error {
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	freed, err := cachedir.Trim(ctx, dir, l, time.Now())
	if ctx.Err() != nil {
		return fmt.Errorf("stopped when %s was freed; the same command goes on", report.Amount(freed.Bytes))
	}
	if err != nil {
		return fmt.Errorf("the cache cannot be made smaller: %w; %s was freed; PIPELINE_CACHE names the folder", err, report.Amount(freed.Bytes))
	}
	_, err = fmt.Fprintf(s.out, "freed %s\n", report.Amount(freed.Bytes))
	return err
}

// trimCache keeps the cache small after a run. Whatever fails is no fault of
// the run.
func trimCache(ctx context.Context, s *streams, dir string) {
	if ctx.Err() != nil {
		return
	}
	limits, err := cacheLimits()
	if err == nil {
		var freed evidence.Freed
		freed, err = cachedir.Daily(ctx, dir, limits, time.Now())
		if freed.Entries > 0 {
			fmt.Fprintf(s.err, "cache: freed %s that had not been used for %d days, or was over %s\n", report.Amount(freed.Bytes), int(limits.Unused.Hours()/24), report.Amount(limits.Bytes))
		}
	}
	if err != nil {
		fmt.Fprintf(s.err, "cache: cannot make it smaller: %v\n", err)
	}
}

// cacheLimits are those of the environment.
func cacheLimits() (evidence.Limits, error) {
	l := evidence.Limits{Unused: cachedir.Unused, Bytes: cachedir.Bytes}
	text := os.Getenv(cacheLimitVariable)
	if text == "" {
		return l, nil
	}
	var err error
	if l.Bytes, err = parseAmount(text); err != nil {
		return l, fmt.Errorf("%s=%w", cacheLimitVariable, err)
	}
	return l, nil
}

// parseAmount reads a number of bytes with a decimal unit: "800MB", "1.5 GB",
// "0".
func parseAmount(text string) (int64, error) {
	number, factor := strings.TrimSpace(text), 1.0
	for i, unit := range []string{"kB", "MB", "GB", "TB"} {
		if at := len(number) - len(unit); at >= 0 && strings.EqualFold(number[at:], unit) {
			number = strings.TrimSpace(number[:at])
			factor = float64([]int64{1e3, 1e6, 1e9, 1e12}[i])
			break
		}
	}
	value, err := strconv.ParseFloat(strings.TrimSuffix(number, "B"), 64)
	if err != nil || math.IsNaN(value) || value < 0 || value*factor > 1e18 {
		return 0, fmt.Errorf("%q: expected a size like 5GB, 800MB or 0", text)
	}
	return int64(value * factor), nil
}
