package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"countermark/sbom/lazyregexp"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"countermark/provenance/fetch"
)

// Updater refreshes trust material from a TUF repository, and reads it back.
//
// What the repository answered is kept as one file, which is replaced whole: any
// number of processes may read and update at once, and a crash leaves the old
// one. Nothing is trusted for being there: [Updater.Cached] hands the kept answers
// to the TUF client once more, from the instance's root on, as if the repository
// had given them now.
type Updater struct {
	Dir       string            // of the cache; must not be empty
	Transport http.RoundTripper // nil: one with the environment's proxy
	Version   string            // of the program, for the User-Agent
}

// UpdateError says that newer material could not be had. What was there before
// stays as it is.
type UpdateError struct {
	Mirror string
	Err    error
	Hint   string
}

// Error names the mirror and what is wrong.
func (e *UpdateError) Error() string { return e.Mirror + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *UpdateError) Unwrap() error { return e.Err }

// ErrNoUpdate means that an instance was never updated here.
var ErrNoUpdate = errors.New("it was never updated")

// Updated is what a TUF repository says.
type Updated struct {
	Material        // Keys is nil where the instance has none
	RootJSON []byte // the trusted root as it stands in the repository
	Expires  time.Time
}

// Limits of what is kept, in bytes. The public instance's answers have 60 KiB.
const (
	maxAnswers  = 16 << 20
	maxTUFFiles = 1024
)

// record is the kept form of what a repository answered.
type record struct {
	Refreshed time.Time         `json:"refreshed"`
	Answers   map[string][]byte `json:"answers"` // by path below the mirror
}

// Update asks the instance's repository and keeps what it says, if all of it
// holds at now. An answer older than the kept one is refused. The error is an
// [*UpdateError], or ctx's.
func (u *Updater) Update(ctx context.Context, in Instance, now time.Time) (*Updated, error) {
	seeds, err := os.MkdirTemp("", "countermark-tuf-")
	if err != nil {
		return nil, &UpdateError{Mirror: in.Mirror, Err: fmt.Errorf("it cannot be compared with what was known: %w", err), Hint: "name a temporary folder that you may write to with TMPDIR"}
	}
	defer func() { _ = os.RemoveAll(seeds) }() // the system clears it up as well
	kept, err := u.read(in)
	if err == nil {
		// Only what held when it was kept is a memory to compare with.
		if _, err = kept.replay(in, kept.Refreshed); err == nil {
			err = kept.seed(seeds)
		}
	}
	if err != nil {
		kept = &record{}
	}
	fresh := &record{Refreshed: now.UTC().Truncate(time.Second), Answers: map[string][]byte{}}
	online := &recorder{ctx: ctx, client: u.client(), agent: "countermark/" + u.Version, base: base(in.Mirror), record: fresh}
	known := in
	known.Root = kept.lastRoot(in.Root)
	if _, err := run(known, online, now, seeds); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &UpdateError{Mirror: in.Mirror, Err: explain(err), Hint: hintFor(err)}
	}
	// What did not change was not asked for again.
	for name, answer := range kept.Answers {
		if _, ok := fresh.Answers[name]; !ok {
			fresh.Answers[name] = answer
		}
	}
	updated, err := fresh.replay(in, now)
	if err != nil {
		return nil, &UpdateError{Mirror: in.Mirror, Err: explain(err), Hint: hintFor(err)}
	}
	if err := u.write(in, fresh); err != nil {
		return nil, &UpdateError{Mirror: in.Mirror, Err: fmt.Errorf("cannot be kept: %w", err), Hint: "name a folder that you may write to with --cache-dir"}
	}
	return updated, nil
}

// Cached returns what the last update of the instance brought, verified again at
// now. It returns [ErrNoUpdate] where there was none, and any other error where
// the kept answers do not hold (any more).
func (u *Updater) Cached(in Instance, now time.Time) (*Updated, error) {
	r, err := u.read(in)
	if err != nil {
		return nil, err
	}
	updated, err := r.replay(in, now)
	if errors.Is(err, &metadata.ErrDownloadHTTP{}) {
		return nil, errors.New("the kept answers are not complete") // nobody was asked
	}
	if err != nil {
		return nil, explain(err)
	}
	return updated, nil
}

// run lets the TUF client verify everything from the instance's root on: further
// roots, timestamp, snapshot, targets and the files that we want.
func run(in Instance, answers interface {
	DownloadFile(url string, limit int64, _ time.Duration) ([]byte, error)
}, now time.Time, seeds string,
) (*Updated, error) {
	cfg, err := config.New(in.Mirror, in.Root)
	if err != nil {
		return nil, err
	}
	cfg.Fetcher = answers
	cfg.DisableLocalCache = seeds == ""
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = seeds, seeds
	client, err := updater.New(cfg)
	if err != nil {
		return nil, err
	}
	// The clock is a value here as everywhere; nothing else is unsafe in it.
	client.UnsafeSetRefTime(now.UTC())
	if err := client.Refresh(); err != nil {
		return nil, err
	}
	target := func(name string) ([]byte, error) {
		info, err := client.GetTargetInfo(name)
		if err != nil {
			return nil, err
		}
		_, data, err := client.DownloadTarget(info, filepath.Join(seeds, "target"), "")
		return data, err
	}
	out := &Updated{Expires: client.GetTrustedMetadataSet().Timestamp.Signed.Expires}
	if out.RootJSON, err = target(rootTarget); err != nil {
		return nil, err
	}
	if out.Root, err = LoadRoot(out.RootJSON, in.Mirror+"/targets/"+rootTarget); err != nil {
		return nil, fmt.Errorf("what it holds is of no use: %w", err)
	}
	out.Root.Source = SourceTUF
	if in.KeysTarget == "" {
		return out, nil
	}
	keys, err := target(in.KeysTarget)
	if err != nil {
		return nil, err
	}
	if out.Keys, err = LoadNPMKeys(keys, in.Mirror+"/targets/"+in.KeysTarget); err != nil {
		return nil, fmt.Errorf("what it holds is of no use: %w", err)
	}
	out.Keys.Source = SourceTUF
	return out, nil
}

// recorder asks a repository and keeps what it answers.
type recorder struct {
	ctx    context.Context //nolint:containedctx // the TUF client hands none through
	client *http.Client
	agent  string
	base   string
	record *record
	size   int64
}

// DownloadFile is what the TUF client calls. Every size that a repository claims
// is bounded by ours as well.
func (r *recorder) DownloadFile(url string, limit int64, _ time.Duration) ([]byte, error) {
	limit = min(limit, MaxFileSize)
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.agent)
	res, err := r.client.Do(req)
	if err != nil {
		return nil, broke(req.URL, err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read from
	if res.StatusCode != http.StatusOK {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: res.StatusCode, URL: url}
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, broke(req.URL, err)
	}
	if int64(len(data)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s is larger than %d bytes", url, limit)}
	}
	name, below := answerName(url, r.base)
	if r.size += int64(len(data)); !below || r.size > maxAnswers || len(r.record.Answers) >= maxTUFFiles {
		return nil, errors.New("it answers with more than is ever needed")
	}
	r.record.Answers[name] = data
	return data, nil
}

// client follows redirects as far as nothing is lost by it: what is fetched is
// verified, but who asks for it is nobody's concern.
func (u *Updater) client() *http.Client {
	transport := u.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, OnProxyConnectResponse: fetch.CheckProxy, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: tlsTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
		}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return &redirectError{fmt.Sprintf("more than %d times", maxRedirects)}
		case via[len(via)-1].URL.Scheme == "https" && to.URL.Scheme != "https":
			return &redirectError{"from https: to http:"}
		case to.URL.User != nil:
			return &redirectError{"to a URL with credentials in it"}
		}
		return nil
	}}
}

const (
	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
	tlsTimeout     = 10 * time.Second
)

// redirectError says why a redirect is not followed.
type redirectError struct{ how string }

func (e *redirectError) Error() string { return "it redirects " + e.how + "; that is not followed" }

// broke says why there is no answer. The library's own error holds the URL to which
// the last redirect led, and what a proxy wrote.
func broke(u *url.URL, err error) error {
	if e, ok := errors.AsType[*redirectError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		if last, err := url.Parse(e.URL); err == nil {
			u = last // only its host is named
		}
	}
	asked := &fetch.Client{Words: fetch.Words{What: "repository", Named: "--mirror"}}
	return errors.New(asked.Broke(u, err).Reason)
}

// replayer answers as a repository once did, and notes what was asked for.
type replayer struct {
	base    string
	answers map[string][]byte
	asked   map[string][]byte
}

// DownloadFile is what the TUF client calls. What is not kept is not there: so
// the client knows which root is the last.
func (r *replayer) DownloadFile(url string, limit int64, _ time.Duration) ([]byte, error) {
	name, _ := answerName(url, r.base)
	data, ok := r.answers[name]
	switch {
	case !ok:
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: url}
	case int64(len(data)) > limit:
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s is larger than %d bytes", url, limit)}
	}
	r.asked[name] = data
	return data, nil
}

// answerName is the path below the mirror. A target stands under its own name: of
// several hashes the TUF client puts any one in front.
func answerName(url, base string) (name string, below bool) {
	name, below = strings.CutPrefix(url, base)
	return hashed.ReplaceAllString(name, "$1"), below
}

var hashed = lazyregexp.New(`^(targets/(?:.*/)?)[0-9a-f]{64,128}\.`)

func base(mirror string) string { return strings.TrimSuffix(mirror, "/") + "/" }

// replay verifies the answers as of now, and forgets those that nobody asks for.
func (r *record) replay(in Instance, now time.Time) (*Updated, error) {
	from := &replayer{base: base(in.Mirror), answers: r.Answers, asked: map[string][]byte{}}
	out, err := run(in, from, now, "")
	if err != nil {
		return nil, err
	}
	r.Answers = from.asked
	out.Root.AsOf = r.Refreshed.Format(time.DateOnly)
	if out.Keys != nil {
		out.Keys.AsOf = out.Root.AsOf
	}
	return out, nil
}

// lastRoot returns the newest root of answers that were verified, else the first.
// A mirror that held back the newer ones would bring their revoked keys to life.
func (r *record) lastRoot(first []byte) []byte {
	newest, out := 0, first
	for name, data := range r.Answers {
		number, isRoot := strings.CutSuffix(name, ".root.json")
		if version, err := strconv.Atoi(number); isRoot && err == nil && version > newest {
			newest, out = version, data
		}
	}
	return out
}

// seed lays the metadata out as the TUF client keeps it, so that it refuses
// older ones. A consistent snapshot has the version in front of its names.
func (r *record) seed(dir string) error {
	for name, data := range r.Answers {
		name = versioned.ReplaceAllString(name, "")
		if strings.Contains(name, "/") || name == "root.json" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

var versioned = lazyregexp.New(`^[0-9]+\.`)

func (u *Updater) file(in Instance) string { return filepath.Join(u.Dir, "trust", in.Name+".json") }

func (u *Updater) read(in Instance) (*record, error) {
	// Looked at before it is opened: to open a pipe waits for its other end.
	info, err := os.Stat(u.file(in))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoUpdate
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("the kept answers are in no regular file")
	}
	f, err := os.Open(u.file(in))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read from
	// Base64 makes three bytes four.
	data, err := io.ReadAll(io.LimitReader(f, 2*maxAnswers+1))
	if err != nil {
		return nil, err
	}
	if len(data) > 2*maxAnswers {
		return nil, errors.New("the kept answers are too large")
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("the kept answers cannot be read: %w", err)
	}
	if r.Answers = maps.Clone(r.Answers); r.Answers == nil {
		r.Answers = map[string][]byte{}
	}
	return r, nil
}

// write replaces the file of an instance, whole or not at all.
func (u *Updater) write(in Instance, r *record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	name := u.file(in)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+in.Name+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error in hand is the one to report
	}
	return err
}

// explain says in our words what the TUF client found.
func explain(err error) error {
	switch {
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return fmt.Errorf("its metadata expired: %w", err)
	case errors.Is(err, &metadata.ErrUnsignedMetadata{}):
		return fmt.Errorf("its signatures do not hold: %w", err)
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return fmt.Errorf("it is older than what was known before: %w", err)
	case errors.Is(err, &metadata.ErrLengthOrHashMismatch{}):
		return fmt.Errorf("a file is not what its metadata say: %w", err)
	}
	return err
}

func hintFor(err error) string {
	if errors.Is(err, &metadata.ErrExpiredMetadata{}) || errors.Is(err, &metadata.ErrBadVersionNumber{}) {
		return "the mirror is stale or somebody holds news back: ask another with --mirror; what was known before is still used"
	}
	if errors.Is(err, &metadata.ErrUnsignedMetadata{}) {
		return "this is not the repository that the root names, or somebody changed it: check --mirror and --root"
	}
	return "check the network and --mirror; what was known before is still used"
}
