package awsauthdiff

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/rs/zerolog"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// sts answers GetCallerIdentity in the place of AWS, so that nothing leaves
// the machine.
type sts struct{ host, cluster string }

func (s *sts) RoundTrip(r *http.Request) (*http.Response, error) {
	s.host, s.cluster = r.URL.Host, r.Header.Get("X-K8s-Aws-Id")
	body := `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:user/analyzer","UserId":"AIDAEXAMPLE"},"ResponseMetadata":{"RequestId":"x"}}}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestTokenIsTakenByTheAuthenticator sends the token that the reader made for
// an API server through the authenticator's own verifier.
func TestTokenIsTakenByTheAuthenticator(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	region := world.Account("111122223333").Region("eu-central-1")
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	var bearer string
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]string{"name": "aws-auth"}})
	}))
	defer api.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	region.AddCluster(awssim.Cluster{Name: "prod", Endpoint: api.URL, CertificateAuthority: ca})

	keys := aws.Credentials()
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL_EKS", aws.URL())
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.New(access.Config{AWS: cfg, Account: "111122223333", Kubernetes: true}, zerolog.Nop()).Access(t.Context(), "prod")
	if err != nil || a.AWSAuth == nil {
		t.Fatalf("%+v, %v", a, err)
	}

	stub := &sts{}
	real := http.DefaultTransport
	http.DefaultTransport = stub
	defer func() { http.DefaultTransport = real }()
	id, err := token.NewVerifier("prod", "aws", "eu-central-1").Verify(bearer)
	if err != nil {
		t.Fatalf("the authenticator does not take the token: %v", err)
	}
	if id.ARN != "arn:aws:iam::111122223333:user/analyzer" || stub.host != "sts.eu-central-1.amazonaws.com" || stub.cluster != "prod" {
		t.Errorf("%+v, asked %+v", id, stub)
	}
}
