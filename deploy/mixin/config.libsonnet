{
  _config+:: {
    // Which series are the analyzer's. Set the job that your Prometheus gives them.
    selector: 'job="eks-authlog"',

    // Where the pages are that alerts link to; doc is a path in the repository.
    runbookURL(doc):: 'https://github.com/eks-authlog/eks-authlog/blob/main/' + doc,

    // Where a browser reaches the analyzer. Each dashboard has it as a text box.
    apiURL: 'http://127.0.0.1:8484',

    // How often the recording rules are computed.
    interval: '1m',

    // What is usual, for EKSDenialSpike: the median over this time, of one
    // sample in each step. It does not follow a spike that is shorter than half
    // the time.
    usual: '7d:10m',

    dashboards: {
      tags: ['eks-authlog'],
      refresh: '1m',
      from: 'now-6h',
    },

    // Each alert is spelled out once: how bad it is, and how long its
    // condition must hold.
    //
    // How long follows from when a line is known. CloudWatch shows a line some
    // seconds to minutes after it was written, and the analyzer reads every
    // minute. A diagnosis is opened by evidence, not by a sample, and stays
    // open until the log shows its end: waiting adds nothing but delay, so a
    // broken mapping has none. Where a few minutes of late lines may still
    // show that it was no lockout (a node that joins at its second try), the
    // alert waits for as long as lines are commonly late, five minutes; where
    // nobody must be woken, ten to fifteen.
    alerts: {
      EKSAuthMappingBroken: { severity: 'critical', 'for': '0m' },
      EKSNodesLockedOut: { severity: 'critical', 'for': '5m' },
      EKSStsBroken: { severity: 'critical', 'for': '5m' },
      EKSManyPrincipalsDenied: { severity: 'warning', 'for': '10m', principals: 5 },
      EKSPrincipalLostAccess: { severity: 'warning', 'for': '10m' },
      EKSDeniedLoop: { severity: 'warning', 'for': '5m', window: '30m', denials: 60 },
      EKSDenialSpike: { severity: 'warning', 'for': '5m', factor: 10, perSecond: 0.2 },
      EKSForeignAccount: { severity: 'warning', 'for': '0m' },
      EKSRootUser: { severity: 'warning', 'for': '0m' },
      EKSCredentialProbe: { severity: 'warning', 'for': '15m' },
      EKSClockSkew: { severity: 'info', 'for': '15m' },

      // The log of a cluster in use is never silent for long: EKS's own
      // principals log in every few minutes.
      EKSAuthLogsSilent: { severity: 'warning', 'for': '10m', seconds: 1800 },
      EKSAuthLoggingOff: { severity: 'warning', 'for': '15m' },
      // At rest the cursor is behind by the settle time, five minutes at most,
      // and one interval. After a start it is hours behind and catches up.
      EKSAuthReaderLag: { severity: 'warning', 'for': '10m', seconds: 600 },
      // Each failed read is tried again; what lasts does not mend itself.
      EKSAuthReaderErrors: { severity: 'warning', 'for': '15m', window: '10m' },
      EKSAuthUnclassified: { severity: 'info', 'for': '0m', window: '1h' },

      // Absence: what is not measured does not alert.
      EKSAuthCursorStale: { severity: 'critical', 'for': '10m', window: '30m' },
      EKSAuthNoEvents: { severity: 'warning', 'for': '15m', window: '1h' },
      EKSAuthlogDown: { severity: 'critical', 'for': '5m' },
      EKSAuthConfigReloadFailed: { severity: 'warning', 'for': '5m' },
    },
  },
}
