// Package awssim is an AWS endpoint on loopback: CloudWatch Logs with Logs
// Insights, STS, EKS, IAM and Account Management, as far as a reader of log
// groups and of access configurations calls them. The real SDK talks to it over real HTTP; `analyzer demo` and the
// tests run against it. It is never more lenient than AWS: it checks each
// signature, refuses what AWS refuses, and shows late, partial and paged
// results.
//
// It must never be reachable from outside the machine, and it never calls AWS.
//
// # Building a world
//
//	w := awssim.NewWorld(time.Now)            // any clock will do
//	account := w.Account("111122223333")      // the first one is the home account
//	region := account.Region("eu-central-1")  // enabled by asking for it
//	region.AddCluster(awssim.Cluster{Name: "prod", Logging: []string{"authenticator"}})
//	group, err := region.CreateLogGroup("/aws/eks/prod/cluster", awssim.GroupOptions{Created: weekAgo})
//	stream, err := group.CreateStream("authenticator-0123456789abcdef0123456789abcdef", weekAgo)
//	stream.Put(awssim.Event{Time: t, Visible: t.Add(90*time.Second), Message: line}) // any order, any time
//	audit.SetNoise(30, 60_000)                // records and bytes a second: scanned and billed, not stored
//	arn := account.AddRole(awssim.Role{Name: "reader", ExternalID: "x", Trusted: []string{"444455556666"}})
//	region.Monitor("444455556666")            // cross-account observability
//	region.DeleteLogGroup(name)               // and CreateLogGroup anew; group.DeleteStream
//
// An event is shown by FilterLogEvents from Ingested on and by Insights from
// Visible on, by the world's clock. Messages, streams and groups may be added
// while the world is served.
//
// # Serving it
//
//	srv, err := awssim.Start(w)
//	defer srv.Close()
//	client := cloudwatchlogs.NewFromConfig(srv.Config("eu-central-1"))
//
// One listener serves all services, accounts and regions: the access key tells
// the account, the credential scope of the signature tells region and service.
// srv.URL is what AWS_ENDPOINT_URL takes; srv.Credentials gives the home
// account's keys, Account.Keys those of any other.
//
// # Limits and pace
//
// World.Limits holds the request rates and the number of concurrent queries,
// AWS's defaults unless set; World.Pace how long a query is Scheduled and
// Running. Both are to be set before Start.
//
// # Faults
//
// World.Inject makes calls go wrong by operation, account, region, log group
// and count: throttling and every other refusal, 500 and 503, connections that
// drop before the call or after it, delays, queries that fail, time out, hang or
// show rows that vanish, other @ptr values, empty pages, and a function to
// change the world between two calls. See Fault.
//
// # Counters
//
// World.Calls and CallsBy count calls, Refusals the errors that were answered,
// Billed the bytes scanned; RunningQueries and Orphans count queries.
//
// # What differs from AWS
//
// Where AWS is undocumented or varies, the stricter reading holds: the smaller
// of a query's own limit and the request's counts; times in milliseconds are
// refused; a query sees what was visible when it was started; a stream's last
// event time lags by half an hour; one group out of a window's reach fails the
// query. Commands of the query language that package insights does not know
// are refused, SOURCE among them.
//
// # The demo
//
//	d, err := awssim.NewDemo(time.Now, 1)     // clock and seed
//	srv, err := awssim.Start(d.World)         // home account 111122223333
//	err = d.Run(ctx)                          // writes on until ctx is done; d.Advance does so once
//	d.Sources                                 // account, region, role ARN and external id of each shard
package awssim
