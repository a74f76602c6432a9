package provenance

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// Run is a number of subjects that are judged in parallel.
type Run struct {
	Subjects []Subject
	Expect   func(Subject) Expectation
	Source   Source
	Verifier *Verifier

	Jobs   int    // how many at a time; as many as there are processors where it is not positive
	Judged func() // called for each subject once it has its result, by many goroutines; may be nil
}

// Results judges the subjects, and returns their results in the same order. A
// subject of which nothing can be attested is not asked about, except for whether
// its registry has a package of that name at all: who starts a server without a
// version needs to know that most. Once the context's deadline is over, what is not
// yet judged is Unavailable: what was found until then stays found. The error is
// that of a cancelled context.
func (r Run) Results(ctx context.Context) ([]Result, error) {
	jobs := r.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	results := make([]Result, len(r.Subjects))
	fill := func(i int) {
		results[i] = judge(ctx, r.Subjects[i], r.Expect(r.Subjects[i]), r.Source, r.Verifier)
		if r.Judged != nil {
			r.Judged()
		}
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(jobs, len(r.Subjects)) {
		workers.Go(func() {
			for i := range next {
				fill(i)
			}
		})
	}
	fed := feed(ctx, len(r.Subjects), next)
	close(next)
	workers.Wait()
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return nil, err
	}
	for i := fed; i < len(r.Subjects); i++ {
		fill(i)
	}
	return results, nil
}

// feed sends the numbers up to n until the context ends, and returns how many.
func feed(ctx context.Context, n int, next chan<- int) int {
	for i := range n {
		if ctx.Err() != nil {
			return i
		}
		select {
		case next <- i:
		case <-ctx.Done():
			return i
		}
	}
	return n
}

func judge(ctx context.Context, s Subject, e Expectation, src Source, v *Verifier) Result {
	_, known := ecosystems[s.Ecosystem]
	if reason, _ := unattestable(s, known); reason != "" {
		set := Set{}
		if s.floating() && ctx.Err() == nil {
			// Whatever goes wrong here leaves a fact unknown, and no more.
			set, _ = src.Attestations(ctx, s)
		}
		return v.Judge(s, e, set)
	}
	if ctx.Err() != nil {
		return v.Judge(s, e, late)
	}
	set, err := src.Attestations(ctx, s)
	switch {
	case err != nil && ctx.Err() != nil:
		set = late
	case err != nil:
		// This subject's answer is unknown, and the others go on.
		set = Set{Availability: Unreachable, Reason: oneLine(err)}
	}
	return v.Judge(s, e, set)
}

// late is what there is after the deadline. After an interrupt the results are
// dropped anyway.
var late = Set{
	Availability: Unreachable,
	Reason:       "it took longer than --timeout allows",
	Hint:         "allow more time with --timeout, or give its attestations with --attestations",
}
