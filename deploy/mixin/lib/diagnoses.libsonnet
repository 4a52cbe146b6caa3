// Which diagnoses an alert is about. Diagnoses of severity critical and warning
// that stand nowhere here are named, with the reason, in README.md.
{
  mapping: ['aws_auth_deleted', 'aws_auth_malformed', 'aws_auth_wiped'],
  nodes: [
    'cluster_role_missing_ec2_permission',
    'cross_account_node',
    'node_granted_as_non_node',
    'node_role_swapped',
    'node_role_unmapped',
  ],
  sts: ['sts_outage', 'sts_region_disabled', 'sts_throttled_cluster'],
  lost: ['mapping_lost', 'principal_renamed', 'role_recreated', 'sso_role_rotated'],

  // What locks out everybody in the cluster.
  allOut: self.mapping + ['sts_outage'],

  // A matcher for any of the codes.
  matcher(codes):: if std.length(codes) == 1 then 'diagnosis="%s"' % codes[0] else 'diagnosis=~"%s"' % std.join('|', codes),
}
