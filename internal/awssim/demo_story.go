package awssim

import (
	"strings"
	"time"
)

// authBroken reports whether aws-auth was unreadable at t.
func (s *scene) authBroken(t time.Time) bool {
	for _, b := range s.broken {
		if b.has(t) {
			return true
		}
	}
	return false
}

// breakAuth makes aws-auth unreadable from after the start on, for so long:
// everybody whom it maps is locked out and keeps trying.
func (s *scene) breakAuth(after, length time.Duration) {
	from := s.start.Add(after)
	s.broken = append(s.broken, span{from, from.Add(length)})
	s.once(after, func(t time.Time) error {
		const fault = "[yaml: line 3: mapping values are not allowed in this context]"
		s.everywhere(t, "info", "Received aws-auth watch event")
		s.everywhere(t, "warning", "Errors parsing configmap: "+fault)
		s.everywhere(t, "error", "There was an error parsing the config maps.  Only saving data that was good, error parsing config map: "+fault)
		s.everywhere(t, "error", "error parsing config map: "+fault)
		return nil
	})
	s.once(after+length, func(t time.Time) error {
		s.everywhere(t, "info", "Received aws-auth watch event")
		return nil
	})
	for _, p := range s.mapped {
		for at := after; at < after+length; at += around(30 * time.Second)(s.rng) {
			s.once(at, func(t time.Time) error { s.login(t, p); return nil })
		}
	}
}

// from lets act happen every gap, from after the start on.
func (s *scene) from(after, gap time.Duration, act func(t time.Time)) {
	s.schedule(s.start.Add(after), around(gap), act)
}

// burst lets act happen n times within length, every gap.
func (s *scene) burst(gap, length time.Duration, n int, act func(t time.Time)) {
	s.every(gap, func(t time.Time) {
		for i := range n {
			act(t.Add(length / time.Duration(n) * time.Duration(i)))
		}
	})
}

// storyProd: a role made anew, aws-auth broken twice, a prober, strangers, and
// an instance replaced.
func (s *scene) storyProd() {
	deploy := s.role("payments-deploy", "jenkins", "deployers")
	anew := *deploy
	anew.userID, anew.username = uniqueID("AROA", s.account, "payments-deploy", "anew")+":jenkins", ""
	s.every(3*time.Minute, func(t time.Time) {
		if t.Before(s.start.Add(3 * time.Hour)) {
			s.login(t, deploy)
		} else {
			s.login(t, &anew)
		}
	})
	s.breakAuth(4*time.Hour+20*time.Minute, 11*time.Minute)
	s.breakAuth(demoHistory+4*time.Minute, 6*time.Minute)
	s.once(5*time.Hour, s.rotate)
	s.once(demoHistory+2*time.Minute, s.rotate)

	probes := probeErrors()
	s.burst(55*time.Minute, 90*time.Second, 60, func(t time.Time) { s.reject(t, probes[s.rng.IntN(len(probes))]) })
	stranger := s.principal("777788889999", "assumed-role/Unknown/session", "role/Unknown", "session")
	s.every(35*time.Minute, func(t time.Time) { s.login(t, stranger) })
	root := &principal{
		arn: "arn:aws:iam::" + s.account + ":root", sts: "arn:aws:iam::" + s.account + ":root",
		account: s.account, userID: s.account, key: uniqueID("AKIA", s.account, "root"),
	}
	s.every(110*time.Minute, func(t time.Time) { s.login(t, root) })
	newcomer := s.sso("ReadOnly", "fedcba0987654321", "dave@example.com", "")
	s.every(12*time.Minute, func(t time.Time) { s.login(t, newcomer) })
}

// storyWeb: a token frozen in a pipeline, a clock that runs ahead, a VPC
// endpoint, and tokens for another cluster.
func (s *scene) storyWeb() {
	var frozen time.Time
	s.exactly(30*time.Second, func(t time.Time) {
		if t.Sub(frozen) > 2*time.Hour {
			frozen = t.Add(-16 * time.Minute)
		}
		s.reject(t, expiredTokenError(frozen))
	})
	s.every(4*time.Minute, func(t time.Time) { s.reject(t, s.aheadError(t, 9*time.Minute)) })
	s.every(9*time.Minute, func(t time.Time) {
		s.reject(t, badToken+`unexpected hostname "vpce-0123456789abcdef0-abcdefgh.sts.`+s.region+`.vpce.amazonaws.com" in pre-signed URL`)
	})
	s.every(5*time.Minute, func(t time.Time) { s.reject(t, s.stsError(403, s.region, "SignatureDoesNotMatch", mismatch)) })
	federated := s.principal(s.account, "federated-user/Bob", "role/unused", "")
	federated.arn, federated.userID = federated.sts, s.account+":Bob"
	s.every(25*time.Minute, func(t time.Time) { s.login(t, federated) })
}

// storyStaging: credentials that ran out, tokens made by hand, STS throttling,
// names that a mapping must not give, a person who uses the node role, and
// aws-auth broken and mended within the demo's first minute.
func (s *scene) storyStaging() {
	s.breakAuth(demoHistory+20*time.Second, 40*time.Second)
	s.exactly(time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(403, s.region, "ExpiredToken", "The security token included in the request is expired"))
	})
	wrong := homemadeErrors()
	s.every(3*time.Minute, func(t time.Time) { s.reject(t, wrong[s.rng.IntN(len(wrong))]) })
	s.burst(70*time.Minute, 20*time.Second, 45, func(t time.Time) { s.twice(t, s.stsThrottled()) })

	reserved := s.role("platform-tools", "tools", "")
	s.every(15*time.Minute, func(t time.Time) {
		s.refuse(t, reserved, "invalid username 'eks:tools' for mapper EKSConfigMap: username must not begin with with the following prefixes: [aws: eks: iam: amazon:]")
	})
	borrower := s.role("eks-node-"+s.name, "erin@example.com", "")
	s.every(8*time.Minute, func(t time.Time) {
		s.refuse(t, borrower, `mapper EKSConfigMap renderTemplates error: error rendering username template "`+nodeTemplate+`": SessionName did not contain an instance id`)
	})
	renamed := s.user("teams/dev/frank", "", "")
	s.every(18*time.Minute, func(t time.Time) {
		s.refuse(t, renamed, "mapper DynamicFile Map error: ARN does not match User ID",
			"additional arn comparison for IAM arn. arn from STS response is "+strings.ToLower(renamed.arn)+", arn in mapper is arn:aws:iam::"+s.account+":user/teams/dev/francis")
	})
}

// storyData: a permission set provisioned anew, a node group without a
// mapping, a service-linked role, a watch that breaks.
func (s *scene) storyData() {
	for _, who := range []string{"grace@example.com", "heidi@example.com", "ivan@example.com"} {
		before := s.sso("DataEngineer", "aaaabbbbccccdddd", who, "data-engineers")
		after := s.sso("DataEngineer", "eeeeffff00001111", who, "")
		s.every(4*time.Minute, func(t time.Time) {
			if t.Before(s.start.Add(2 * time.Hour)) {
				s.login(t, before)
			} else {
				s.login(t, after)
			}
		})
	}
	for range 3 {
		node := s.node("karpenter-spot")
		s.from(210*time.Minute, 45*time.Second, func(t time.Time) { s.login(t, node) })
	}
	linked := s.role("AWSServiceRoleForAmazonEMRContainers", "emr-containers", "")
	s.every(7*time.Minute, func(t time.Time) { s.login(t, linked) })
	s.every(47*time.Minute, func(t time.Time) {
		s.everywhere(t, "warning", "Watch channel closed. Reconnecting...")
		s.everywhere(t.Add(time.Second), "info", "Received aws-auth watch event")
	})
	s.once(90*time.Minute, s.rotate)
}

// storyML: a pod that sends a token of another issuer, a cluster role without
// its policy, nodes that are gone.
func (s *scene) storyML() {
	s.exactly(10*time.Second, func(t time.Time) { s.twice(t, notIAM) })
	const mapper = "DynamicFile"
	node := s.node("eks-gpu-node")
	calling := "Calling ec2:DescribeInstances for the InstanceId = " + node.session + " "
	s.from(5*time.Hour, 40*time.Second, func(t time.Time) {
		s.refuse(t, node, s.lookupError(mapper, node.session, 403, "UnauthorizedOperation",
			"You are not authorized to perform this operation. User: arn:aws:sts::"+s.account+":assumed-role/eks-cluster-"+s.name+
				"/aws-go-sdk-1700000000000000000 is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"), calling)
	})
	gone := s.node("eks-gpu-node")
	s.every(20*time.Minute, func(t time.Time) {
		s.refuse(t, gone, s.lookupError(mapper, gone.session, 400, "InvalidInstanceID.NotFound", "The instance ID '"+gone.session+"' does not exist"))
	})
	s.every(45*time.Minute, func(t time.Time) {
		s.refuse(t, gone, s.lookupError(mapper, gone.session, 503, "RequestLimitExceeded", "Request limit exceeded."))
	})
}

// storyOutage: STS in trouble, tokens of the global endpoint, a region that is
// switched off.
func (s *scene) storyOutage() {
	s.burst(80*time.Minute, 40*time.Second, 20, func(t time.Time) {
		s.reject(t, [...]string{
			s.stsError(503, s.region, "ServiceUnavailable", "Service is unable to handle request."),
			s.stsError(500, s.region, "InternalFailure", ""),
			"sts getCallerIdentity failed: error during GET: context deadline exceeded (Client.Timeout exceeded while awaiting headers) on " + s.region + " endpoint",
			"sts getCallerIdentity failed: error during GET: EOF on " + s.region + " endpoint",
		}[s.rng.IntN(4)])
	})
	s.every(2*time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(403, "global", "InvalidClientTokenId", "The security token included in the request is invalid."))
	})
	s.every(13*time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(403, "me-central-1", "RegionDisabledException", "STS is not activated in this region for account:"+s.account+
			". Your account administrator can activate STS in this region using the IAM Console."))
	})
	s.every(21*time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(403, s.region, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'us-west-2'. "))
	})
	s.every(32*time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(403, s.region, "AccessDenied", "User: arn:aws:sts::"+s.account+
			":assumed-role/quarantine/session is not authorized to perform: sts:GetCallerIdentity with an explicit deny in a service control policy"))
	})
	s.every(28*time.Minute, func(t time.Time) {
		s.reject(t, s.stsError(400, s.region, "IncompleteSignature", "Signature must be in hex-encoded. X-Amz-Signature"))
	})
}
