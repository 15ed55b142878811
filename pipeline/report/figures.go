package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// figuresSchema is the version of the format; another one is not read.
const figuresSchema = 1

// maxFigures bounds the file that is read, in bytes.
const maxFigures = 8 << 20

// Figures are the numbers of a run that a later one is compared with:
// figures.json.
type Figures struct {
	Schema int `json:"schema"`
	// Services are by their name.
	Services map[string]ServiceFigures `json:"services"`
}

// ServiceFigures are the numbers of one service; what was not measured is
// absent.
type ServiceFigures struct {
	Version string `json:"version,omitempty"`
	// Bundle is the digest of what is shipped.
	Bundle string `json:"bundle,omitempty"`
	// Image is how many bytes a pull of the largest image transfers.
	Image    int64            `json:"image,omitempty"`
	Coverage *CoverageFigures `json:"coverage,omitempty"`
	// Benchmarks are by package, name and unit, between spaces. Of a benchmark
	// that was measured several times it is the median.
	Benchmarks map[string]float64 `json:"benchmarks,omitempty"`
}

// CoverageFigures count statements.
type CoverageFigures struct {
	Statements int `json:"statements"`
	Covered    int `json:"covered"`
}

// Percent returns the covered part in percent, 0 when there are no statements.
func (c CoverageFigures) Percent() float64 {
	return (&pipeline.Coverage{Statements: c.Statements, Covered: c.Covered}).Percent()
}

// WriteFigures writes the figures of a run as JSON. Without any nothing is
// written.
func WriteFigures(w io.Writer, run Run) error {
	f := run.Figures()
	if len(f.Services) == 0 {
		return nil
	}
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// ReadFigures reads what WriteFigures wrote. It comes from another job, so
// that numbers which none can be are an error.
func ReadFigures(data []byte) (*Figures, error) {
	var f Figures
	if len(data) > maxFigures {
		return nil, fmt.Errorf("figures of %d bytes; expected at most %d", len(data), maxFigures)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	if f.Schema != figuresSchema {
		return nil, fmt.Errorf("figures of schema %d; expected %d", f.Schema, figuresSchema)
	}
	for _, s := range f.Services {
		if c := s.Coverage; s.Image < 0 || c != nil && (c.Covered < 0 || c.Covered > c.Statements) {
			return nil, errors.New("figures with a negative size, or a coverage above 100 %")
		}
	}
	return &f, nil
}

// Figures returns the numbers of the run.
func (run Run) Figures() Figures {
	f := Figures{Schema: figuresSchema, Services: map[string]ServiceFigures{}}
	for name, stages := range run.byService() {
		s := figuresOf(stages)
		if s.Image > 0 || s.Coverage != nil || len(s.Benchmarks) > 0 {
			f.Services[name] = s
		}
	}
	return f
}

// figuresOf are those of the stages of one service.
func figuresOf(stages []Stage) ServiceFigures {
	var f ServiceFigures
	measured := map[string][]float64{}
	for _, s := range stages {
		f.Version = s.Version
		if s.Findings == nil {
			continue
		}
		if c := s.Findings.Coverage; c != nil && f.Coverage == nil && c.Statements > 0 {
			f.Coverage = &CoverageFigures{c.Statements, c.Covered}
		}
		if s.Kind == "container" {
			f.Bundle = s.Findings.Facts["bundle"]
			f.Image, _ = strconv.ParseInt(s.Findings.Facts["image size"], 10, 64)
		}
		for _, b := range s.Findings.Benchmarks {
			for unit, value := range b.Values {
				if !math.IsNaN(value) && !math.IsInf(value, 0) {
					key := oneLine(b.Package) + " " + word(b.Name) + " " + word(unit)
					measured[key] = append(measured[key], value)
				}
			}
		}
	}
	for key, values := range measured {
		if f.Benchmarks == nil {
			f.Benchmarks = map[string]float64{}
		}
		f.Benchmarks[key] = median(values)
	}
	return f
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
