package source_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// environment leaves nothing of AWS to the SDK's chain but the given keys and
// endpoint.
func environment(t *testing.T, endpoint, key, secret string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}

func (c *cloud) environment(t *testing.T) {
	t.Helper()
	keys := c.server.Credentials()
	environment(t, c.server.URL(), keys.AccessKeyID, keys.SecretAccessKey)
}

// shard loads cfg as the daemon does and asks for the shard.
func (c *cloud) shard(t *testing.T, cfg source.Config) (authlog.Shard, error) {
	t.Helper()
	awscfg, err := source.LoadAWS(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return source.New(awscfg, cfg, c.meter, zerolog.Nop()).Shard(t.Context())
}

func TestLoadAWSTakesKeysRegionAndEndpointFromTheEnvironment(t *testing.T) {
	c := newCloud(t)
	c.environment(t)
	t.Setenv("AWS_REGION", region)
	got, err := c.shard(t, config())
	if want := (authlog.Shard{Account: account, Region: region}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestShardAsksOnce(t *testing.T) {
	c := newCloud(t)
	s := c.source(t, config())
	for range 3 {
		if _, err := s.Shard(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Calls("GetCallerIdentity"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestLoadAWSAssumesTheRole(t *testing.T) {
	c := newCloud(t)
	c.environment(t)
	role := c.Account("444455556666").AddRole(awssim.Role{
		Name: "reader", Trusted: []string{account}, ExternalID: "x1", Tags: map[string]string{"team": "sre", "env": "prod"},
	})
	cfg := config()
	cfg.Region, cfg.RoleARN, cfg.ExternalID = region, role, "x1"
	cfg.SessionTags = map[string]string{"team": "sre", "env": "prod"}
	got, err := c.shard(t, cfg)
	if want := (authlog.Shard{Account: "444455556666", Region: region}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestReadOutlivesASessionThatIsOver(t *testing.T) {
	c := newCloud(t)
	c.environment(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	c.write(g, 0, 5, time.Second)
	cfg := config()
	cfg.Region = region
	cfg.RoleARN = c.Account(account).AddRole(awssim.Role{Name: "reader"})
	awscfg, err := source.LoadAWS(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	s := source.New(awscfg, cfg, c.meter, zerolog.Nop())
	w := c.window(t, s, time.Minute)
	c.Account(account).ExpireSessions()
	c.wantAll(t, read(t.Context(), t, s, w))
	if n := c.Calls("AssumeRole"); n != 2 {
		t.Errorf("the role was assumed %d times, want 2", n)
	}
}

func TestShardNamesTheRoleThatMayNotBeAssumed(t *testing.T) {
	c := newCloud(t)
	c.environment(t)
	cfg := config()
	cfg.Region = region
	cfg.RoleARN = c.Account("444455556666").AddRole(awssim.Role{Name: "reader", ExternalID: "another"})
	_, err := c.shard(t, cfg)
	access, ok := errors.AsType[*authlog.AccessError](err)
	if !ok || access.Action != "sts:AssumeRole" || access.Resource != cfg.RoleARN {
		t.Errorf("error %v, want one that names sts:AssumeRole on %s", err, cfg.RoleARN)
	}
}

func TestLoadAWSWantsARegion(t *testing.T) {
	environment(t, "http://127.0.0.1:1", "AKIDEXAMPLE", "secret")
	_, err := source.LoadAWS(t.Context(), source.Config{}, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("error %v, want one that says how to set a region", err)
	}
}

func TestWhatTheSDKHasToSayStandsInOurLog(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Content-Length", "100000") // an answer that breaks off behind its document
		_, _ = w.Write([]byte(identityDocument))
	}))
	t.Cleanup(server.Close)
	environment(t, server.URL, "AKIDEXAMPLE", "secret")
	cfg := config()
	cfg.Region = region
	var log bytes.Buffer
	awscfg, err := source.LoadAWS(t.Context(), cfg, zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := source.New(awscfg, cfg, &meter{}, zerolog.Nop()).Shard(t.Context()); err != nil || got.Account != account {
		t.Errorf("got %v, %v", got, err)
	}
	if said := log.String(); !strings.Contains(said, `"level":"debug"`) || !strings.Contains(said, "failed to discard remaining HTTP response body") {
		t.Errorf("the log says %q", said)
	}
}

// identityDocument is the answer of GetCallerIdentity.
const identityDocument = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
	<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

func TestLoadAWSTrustsTheGivenCABundle(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(identityDocument))
	}))
	t.Cleanup(server.Close)
	environment(t, server.URL, "AKIDEXAMPLE", "secret")
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)

	cfg := config()
	cfg.Region = region
	awscfg, err := source.LoadAWS(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.New(awscfg, cfg, &meter{}, zerolog.Nop()).Shard(t.Context())
	if err != nil || got.Account != account {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	if err := (source.Config{}).Validate(); err != nil {
		t.Errorf("a config of defaults: %v", err)
	}
	if err := source.Default().Validate(); err != nil {
		t.Errorf("the default config: %v", err)
	}
	bad := source.Config{Pattern: "/aws/[", Include: []string{"ok-*", "[a"}, Mode: "tail", Index: "all", RowLimit: 100_001}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"/aws/[", "[a", "tail", "all", "100001"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error does not name %q:\n%v", word, err)
		}
	}
}

func TestLimitsHoldTheRateOfAllSourcesThatShareThem(t *testing.T) {
	c := newCloud(t, func(w *awssim.World) { w.Limits.PerSecond["DescribeLogStreams"] = 100 })
	for i := range 40 {
		c.group(t, string(rune('a'+i%26))+strings.Repeat("x", i), 1, awssim.GroupOptions{})
	}
	limits := config()
	limits.Rates.Streams = 90
	cfg := config()
	cfg.Limits = source.NewLimits(limits)
	one, two := c.source(t, cfg), c.source(t, cfg)
	began := time.Now()
	errs := make(chan error, 4)
	for _, s := range []*source.Source{one, two, one, two} {
		go func() {
			_, err := s.Groups(t.Context())
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := c.Refusals()["ThrottlingException"]; n > 0 {
		t.Errorf("%d calls were throttled", n)
	}
	// A bucketful of 90 goes at once, the others take 0.8 s; two buckets would
	// let all go at once. The limiter's own clock is not exact.
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("160 calls at 90 a second took %s", took)
	}
}
