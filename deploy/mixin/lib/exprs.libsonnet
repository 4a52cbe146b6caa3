// Expressions that several rules are made of. Replicas that watch the same
// clusters say the same: max, never sum, of gauges.
local diagnoses = import 'diagnoses.libsonnet';

{
  local config = self.config,
  config:: error 'needs the configuration',

  // The labels of a cluster: its name is not unique.
  cluster:: 'cluster, account, region',

  // How many principals each open diagnosis of these codes is about; 0 where
  // the log does not say who it was. Severity info is what does no harm in this
  // cluster: a broken aws-auth where only access entries count.
  affected(codes):: |||
    max by (%(cluster)s, diagnosis) (eks_authn_diagnosis_affected_principals{%(selector)s, %(matcher)s})
    and
    max by (%(cluster)s, diagnosis) (eks_authn_diagnosis_active{%(selector)s, %(matcher)s, severity!="info"}) == 1
  ||| % { cluster: $.cluster, selector: config.selector, matcher: diagnoses.matcher(codes) },

  // While the whole cluster is out, everybody in it is denied over and over:
  // one incident has one alert.
  unlessAllOut:: |||
    unless on (%(cluster)s)
    max by (%(cluster)s) (eks_authn_diagnosis_active{%(selector)s, %(matcher)s, severity!="info"}) == 1
  ||| % { cluster: $.cluster, selector: config.selector, matcher: diagnoses.matcher(diagnoses.allOut) },
}
