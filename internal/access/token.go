package access

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// tokens makes the bearer tokens that an EKS API server takes: a presigned
// sts:GetCallerIdentity for the cluster named in the signed header
// x-k8s-aws-id, in base64. Nothing is sent to make one; the cluster's
// authenticator calls it. It is good for 15 minutes.
type tokens struct{ presign *sts.PresignClient }

func newTokens(cfg aws.Config) *tokens {
	return &tokens{sts.NewPresignClient(sts.NewFromConfig(cfg))}
}

const tokenPrefix = "k8s-aws-v1."

func (t *tokens) token(ctx context.Context, cluster string) (string, error) {
	req, err := t.presign.PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(p *sts.PresignOptions) {
		p.ClientOptions = append(p.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue("x-k8s-aws-id", cluster),
			smithyhttp.SetHeaderValue("X-Amz-Expires", "60"),
		))
	})
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", cluster, err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(req.URL)), nil
}
