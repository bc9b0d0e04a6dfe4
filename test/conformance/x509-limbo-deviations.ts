/**
 * The cases of x509-limbo on which our server verifier differs from the expected result, each with the reason.
 *
 * `stricter` refuses what the case wants accepted; `wider` accepts what the case wants refused. A case that is listed
 * here and no longer deviates fails the test, so the list cannot rot.
 */
export const deviations: Readonly<
  Record<string, { readonly we: 'stricter' | 'wider'; readonly because: string }>
> = {
  'pathlen::validation-ignores-pathlen-in-leaf': {
    we: 'stricter',
    because:
      'its leaf is marked as an authority; webpki::ee-basicconstraints-ca wants that refused, and so do we',
  },
  'rfc5280::nc::permitted-dn-match': {
    we: 'stricter',
    because:
      'its leaf carries no DNS name at all, and we never accept a server for a name it does not carry',
  },
  'webpki::nc::permitted-dns-match-noncritical': {
    we: 'stricter',
    because:
      'rfc5280::nc::permitted-dns-match-noncritical wants the opposite for the same shape; RFC 5280 says critical',
  },
  'rfc5280::ski::root-missing-ski': {
    we: 'wider',
    because:
      'a root in the public list of Mozilla has none, and what a trusted root lacks harms only its finding',
  },
  'webpki::eku::ee-anyeku': {
    we: 'wider',
    because:
      'the leaf does carry serverAuth; that anyExtendedKeyUsage stands beside it adds nothing for us',
  },
  'webpki::eku::ee-critical-eku': {
    we: 'wider',
    because:
      'RFC 5280 §4.2.1.12 lets the extension be critical; only the public web PKI forbids it',
  },
  'webpki::eku::ee-without-eku': {
    we: 'wider',
    because:
      'rfc5280::eku::ee-without-eku wants the opposite; private authorities leave it out, and absence means no limit',
  },
  'webpki::eku::root-has-eku': {
    we: 'wider',
    because:
      'an extended key usage on a root narrows what it may issue, and we hold the path to it',
  },
  'webpki::san::san-critical-with-nonempty-subject': {
    we: 'wider',
    because: 'RFC 5280 §4.2.1.6 says should not; being critical makes the name no less certain',
  },
}
