package access

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// telling tells call of each call of a client, once with all its retries.
func telling(call func(operation string, err error)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("eks-authlog calls", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			call(awsmiddleware.GetOperationName(ctx), err)
			return out, metadata, err
		}), middleware.After) // the SDK's first step names the operation
	}
}
