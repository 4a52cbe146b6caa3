package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/logging"
	"github.com/rs/zerolog"
)

// callTimeout bounds one HTTP exchange, so that a connection that went silent
// cannot hold a window for ever. An answer of 10,000 rows takes a few seconds.
const callTimeout = time.Minute

// LoadAWS builds the AWS configuration that cfg asks for: the SDK's default
// chain of credentials, region and endpoint (AWS_ENDPOINT_URL, AWS_CA_BUNDLE,
// IRSA, Pod Identity, profiles), and on top of it the role to assume. It reads
// files and the environment; credentials are first asked for by the first
// call. What the SDK has to say goes to log, at debug: its calls return what
// fails.
func LoadAWS(ctx context.Context, cfg Config, log zerolog.Logger) (aws.Config, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithLogger(sdkLog{log}),
		// The SDK adds AWS_CA_BUNDLE to a client of this type only.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTimeout)),
	}
	if cfg.Region != "" {
		opts = append(opts, config.WithRegion(cfg.Region))
	}
	awscfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	if awscfg.Region == "" {
		return aws.Config{}, errors.New("no AWS region: set AWS_REGION, or regions in the configuration file")
	}
	if cfg.RoleARN != "" {
		awscfg.Credentials = assumeRole(awscfg, cfg)
	}
	return awscfg, nil
}

// sdkLog is the logger that the SDK wants.
type sdkLog struct{ log zerolog.Logger }

// Logf logs what the SDK takes for a warning, or for of use while debugging.
func (l sdkLog) Logf(class logging.Classification, format string, v ...any) {
	l.log.Debug().Str("class", string(class)).Msgf("AWS SDK: "+format, v...)
}

// assumeRole is a refreshing cache of the role's credentials.
func assumeRole(awscfg aws.Config, cfg Config) aws.CredentialsProvider {
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(awscfg), cfg.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "eks-authlog"
		if cfg.ExternalID != "" {
			o.ExternalID = aws.String(cfg.ExternalID)
		}
		for _, k := range slices.Sorted(maps.Keys(cfg.SessionTags)) {
			o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(k), Value: aws.String(cfg.SessionTags[k])})
		}
	})
	return aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = time.Minute
	})
}
