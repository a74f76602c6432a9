package provenance

import (
	"context"
	"runtime"
	"sync"
)

// Run judges the subjects in parallel, at most jobs at a time (as many as there
// are processors where jobs is not positive), and returns their results in the
// order of the subjects. A subject of which nothing can be attested is not asked
// about. The error is that of the context.
func Run(ctx context.Context, subjects []Subject, jobs int, expect func(Subject) Expectation, src Source, v *Verifier) ([]Result, error) {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	results := make([]Result, len(subjects))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(jobs, len(subjects)) {
		workers.Go(func() {
			for i := range next {
				results[i] = judge(ctx, subjects[i], expect(subjects[i]), src, v)
			}
		})
	}
feed:
	for i := range subjects {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return results, nil
}

func judge(ctx context.Context, s Subject, e Expectation, src Source, v *Verifier) Result {
	if reason, _ := unsupported(s); s.Unsupported != "" || reason != "" {
		return v.Package(s, e, Set{})
	}
	set, err := src.Attestations(ctx, s)
	if err != nil {
		// After a cancelled context the results are dropped anyway; for any other
		// error this subject's answer is unknown, and the others go on.
		set = Set{Availability: Unreachable, Reason: oneLine(err)}
	}
	return v.Package(s, e, set)
}
